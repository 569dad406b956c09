extends Node
# What the test asks of the addon, in a Godot 4: this is the scene's only node. `ports.txt` has the server's port and one
# where nobody is. Prints a line for each check, and DONE.

signal over

const Voice := preload("res://addons/kani_npc/kani_npc_voice.gd")
const Wire := preload("res://addons/kani_npc/wire.gd")

var events := PackedStringArray()
var openness := 0.0
var shapes := {}
var voice: Voice
var stop_after := -1
var last_ms := 0
var playing_ms := -1
var ahead := 0 # of the clock, in samples


func _ready() -> void:
	RenderingServer.render_loop_enabled = false # nobody looks
	var ports := FileAccess.get_file_as_string("res://ports.txt").split(" ")
	print("wire: ", _wire())
	await _say("speak", int(ports[0]))
	stop_after = 6000
	await _say("stop", int(ports[0]))
	stop_after = -1
	await _say("unknown", int(ports[0]), "nobody")
	await _say("alone", int(ports[1]))
	print("DONE")


func _say(check: String, port: int, npc := "") -> void:
	events.clear()
	shapes.clear()
	openness = 0.0
	ahead = 0
	playing_ms = -1
	voice = Voice.new()
	voice.port = port
	voice.npc = npc
	voice.timeout_s = 60.0
	add_child(voice)
	voice.started.connect(func(header: Dictionary) -> void: events.append("started@%d" % header.rate))
	voice.ended.connect(_on_ended)
	voice.failed.connect(_on_failed)
	voice.mouth.connect(_on_mouth)
	voice.speak("Halt! Who goes there?")
	await over
	var facts := [" ".join(events), voice._num_received, openness, shapes.size(), voice.underruns, ahead]
	print(check, ": %s samples=%d open=%.2f shapes=%d underruns=%d ahead=%d" % facts)
	voice.queue_free()
	voice = null


func _process(_delta: float) -> void:
	if voice != null and voice._playback != null:
		# It began in the last picture, after this was called.
		playing_ms = last_ms if playing_ms < 0 else playing_ms
		ahead = maxi(ahead, voice.samples_played() - voice._rate * (Time.get_ticks_msec() - playing_ms) / 1000)
		if stop_after >= 0 and voice.samples_played() > stop_after:
			voice.stop()
	last_ms = Time.get_ticks_msec()


func _on_ended(was_stopped: bool) -> void:
	events.append("stopped" if was_stopped else "ended")
	over.emit.call_deferred()


func _on_failed(code: int, _message: String) -> void:
	events.append("failed@%d" % code)
	over.emit.call_deferred()


func _on_mouth(open: float, weights: PackedFloat32Array) -> void:
	openness = maxf(openness, open)
	shapes[weights] = true


func _wire() -> String:
	var wire := Wire.new()
	wire.number(1, 300)
	wire.number(2, -1)
	wire.text(3, "café")
	var found: Dictionary = Wire.fields(wire.data)
	var fine: bool = found[1] == [300] and found[2] == [-1] and found[3][0].get_string_from_utf8() == "café"
	for broken in [[0x0A, 5, 1], [0x80], [0x0B], [0], [0x0D, 1, 2, 3]]:
		fine = fine and Wire.fields(PackedByteArray(broken)) == null
	return wire.data.hex_encode() if fine else "wrong"
