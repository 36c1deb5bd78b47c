# Is somebody in the room? Temperature, humidity, light, CO2 and a clock, one value a minute, two test sets; then without the light.
sets=data/occupancy
data=occupancy split='both test sets; without light' reach='98.5, 99; 88, 80'
all=Temperature,Humidity,Light,CO2,HumidityRatio dark=Temperature,Humidity,CO2,HumidityRatio
# fill COLUMNS: the three tables of these columns.
fill() {
  local part
  for part in datatraining:train datatest:test datatest2:test; do
    add "$unpacked/data/occupancy/${part%:*}.txt" --label-column Occupancy --columns "$1" --clock --group "${part%:*}" \
      --split "${part#*:}" || return 1
  done
  put features 'kind: raw'
  echo 'learner: logistic' >>"$folder/mote.yaml"
}
project() { new --template sensor --rate-hz 0.016666666667 --channels 8 --length-ms 60000 && fill $all; }
figures() {
  local part
  (cd "$folder" && "$MOTE" train --quiet >/dev/null 2>&1) || return 1
  for part in datatest datatest2; do
    (cd "$folder" && "$MOTE" test --group $part ${CHIP:+--chip "$CHIP"} --json >../"$name.$part") || return 1
    int8=$int8${int8:+, }$(percent "$(key "$folder/../$name.$part" accuracy_int8)")
  done
}
# A learner whose answer no seed changes. The project with light stays for the boards.
measure() {
  local with=$folder
  figures || return 1
  folder=$with-dark
  if [ ! -e "$folder/made" ]; then
    rm -rf "$folder"
    new --template sensor --rate-hz 0.016666666667 --channels 7 --length-ms 60000 && fill $dark && touch "$folder/made" || return 1
  fi
  int8="$int8;" && figures && int8=${int8/;, /; } || return 1
  folder=$with
  spread=0
  float=-
}
