// run: runs a program with the harness (firmware/harness/, port.c) in Node: node run.mjs program.elf
// Its files are those of the current folder; its exit code is the program's.
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'

let memory
const bytes = (at, n) => new Uint8Array(memory.buffer, at, n)
const text = at => {
  const all = new Uint8Array(memory.buffer)
  return new TextDecoder().decode(all.subarray(at, all.indexOf(0, at)))
}
// The whole of n bytes through readSync or writeSync, which may move fewer; 0 or -1.
const move = (how, handle, at, n) => {
  for (let done = 0, some; done < n; done += some) {
    some = how(handle, bytes(at + done, n - done))
    if (some === 0) return -1
  }
  return 0
}
const port = {
  open: (name, writes) => {
    try {
      return openSync(text(name), writes ? 'w' : 'r')
    } catch {
      return -1
    }
  },
  read: (handle, at, n) => move(readSync, handle, at, n),
  write: (handle, at, n) => move(writeSync, handle, at, n),
  close: handle => closeSync(handle),
  exit: code => process.exit(code),
  print: at => console.log(text(at))
}
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), { port })
memory = instance.exports.memory
instance.exports.start()
