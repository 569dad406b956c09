extends SceneTree
# What the test asks of the addon, in a headless Godot: `godot3-server --path clients/godot -s run.gd CHECK PORT`.

const Voice = preload("res://addons/kani_npc/kani_npc_voice.gd")
const Wire = preload("res://addons/kani_npc/wire.gd")

var events = []
var openness = 0.0
var voice
var check = ""
var started_at = 0
var playing_at = 0
var ahead = 0 # of the clock, in samples


func _init():
	var arguments = OS.get_cmdline_args()
	check = arguments[arguments.size() - 2]
	voice = Voice.new()
	voice.port = int(arguments[arguments.size() - 1])
	voice.timeout_s = 90.0
	get_root().add_child(voice)
	for name in ["started", "ended", "failed", "mouth"]:
		voice.connect(name, self, "_on_" + name)


func _initialize():
	started_at = OS.get_ticks_msec()
	match check:
		"wire":
			_wire()
		"unknown":
			voice.npc = "nobody"
			voice.speak("Halt!")
		_:
			voice.speak("Halt! Who goes there?")


func _idle(_delta):
	if voice._playback != null:
		if playing_at == 0:
			playing_at = OS.get_ticks_msec()
		ahead = max(ahead, voice.samples_played() - voice._rate * (OS.get_ticks_msec() - playing_at) / 1000)
	if check == "stop" and voice._num_received > 6000 and voice.is_speaking():
		voice.stop()
	if OS.get_ticks_msec() - started_at > 100000:
		_say("never")
	return false


func _say(what):
	print("RESULT ", what, " ", PoolStringArray(events).join(" "), " open=%.2f" % openness, " ahead=%d" % ahead, " underruns=", voice.underruns)
	quit()


func _on_started(header):
	events.append("started@%d" % header.rate)


func _on_ended(was_stopped):
	events.append("stopped" if was_stopped else "ended")
	_say("samples=%d" % voice._num_received)


func _on_failed(code, _message):
	events.append("failed")
	_say("code=%d" % code)


func _on_mouth(open, weights):
	openness = max(openness, open)
	assert(weights.size() == 15)


func _wire():
	var wire = Wire.new()
	wire.number(1, 300)
	wire.number(2, -1)
	wire.text(3, "café")
	var found = Wire.fields(wire.data)
	var fine = found[1] == [300] and found[2] == [-1] and found[3][0].get_string_from_utf8() == "café"
	fine = fine and Wire.fields(PoolByteArray([0x0A, 5, 1])) == null and Wire.fields(PoolByteArray([0x80])) == null
	fine = fine and Wire.fields(PoolByteArray([0x0B])) == null and Wire.fields(PoolByteArray([0])) == null
	_say("fine" if fine else "wrong")
