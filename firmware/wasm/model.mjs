// model: a model that `mote build --target wasm32` made, in a browser or in Node.
//
//   const model = await open(await readFile('build/model.wasm'))      // or: await open(fetch('model.wasm'))
//   model.input(0).set(values)                                        // bytes, the model's own types, little-endian
//   model.run()
//   model.output(0)                                                   // bytes, until the next run
//
// Inputs must be written before each run: their room may be reused. Needs WebAssembly with 128-bit vectors (2021 on).

export async function open(source) {
  const given = await source
  const bytes = given.arrayBuffer ? await given.arrayBuffer() : given
  const { instance } = await WebAssembly.instantiate(bytes, {})
  const c = instance.exports
  const status = c.open()
  if (status !== 0) throw new Error(`the model is refused: status ${status}`)
  const piece = (what, i) => {
    const at = c[what](i)
    if (!at) throw new RangeError(`there is no ${what} ${i}`)
    return new Uint8Array(c.memory.buffer, at, c[`${what}_bytes`](i))
  }
  return {
    input: i => piece('input', i),
    output: i => piece('output', i),
    run: () => c.run(),
    // Variables of the model begin anew.
    reset: () => c.open()
  }
}
