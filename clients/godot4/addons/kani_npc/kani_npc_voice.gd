extends Node
# A character that speaks: `$Voice.speak("Halt! Who goes there?")`. One line at a time; a new one takes the place of the
# old one. Everything happens on the main thread, in `_process`.

# A line begins to be received: {utterance_id, rate, voice}.
signal started(header: Dictionary)
# All of it was played, or it was stopped.
signal ended(was_stopped: bool)
# It did not come whole: gRPC's status code, and why.
signal failed(code: int, message: String)
# How open the mouth is (0 to 1), and the weights of the 15 visemes, by the samples that were played.
signal mouth(openness: float, weights: PackedFloat32Array)

const Wire := preload("wire.gd")

const SYNTHESIZE := "/kani_npc.v1.SpeechService/Synthesize"
const DEADLINE_EXCEEDED := 4
const RESOURCE_EXHAUSTED := 8
const INTERNAL := 13
const UNAVAILABLE := 14
const DATA_LOSS := 15
const MAX_TRIES := 4
const MAX_FRAME_BYTES := 4 * 1024 * 1024
const NUM_VISEMES := 15
const QUEUED_S := 0.5 # of sound that Godot's generator holds, at least
const PIECE := 512 # samples that are given to it at once

# The server's web port.
@export var host := "127.0.0.1"
@export var port := 8051
@export var use_tls := false
# Whose NPCs are meant; empty is the server's default project.
@export var project := ""
# The NPC's id on the server. Empty: the server's default voice.
@export var npc := ""
@export var prebuffer_s := 0.12
@export var timeout_s := 60.0
@export var lip_sync := true
# An AudioStreamPlayer, 2D or 3D. Empty: one of its own.
@export var player_path: NodePath

# A token that your game server hands out.
var token := ""
# How often sound was missing in the middle of the line.
var underruns := 0

var _player: Node
var _playback: AudioStreamGeneratorPlayback
var _capacity := 0 # of the generator, in samples
var _http: HTTPClient
var _request := PackedByteArray()
var _is_sent := false
var _is_received := false
var _tries := 0
var _again_at := 0
var _wait_s := 0.25
var _deadline := 0
var _frames := PackedByteArray()
var _rate := 0
var _needed := 0
var _waiting: Array[PackedVector2Array] = [] # sound that was not given to Godot yet
var _num_waiting := 0
var _num_received := 0
var _num_pushed := 0
var _total := -1
var _reason := 0
var _openness := PackedFloat32Array()
var _weights := PackedFloat32Array()
var _hop_samples := 0


func _ready() -> void:
	_player = null if player_path.is_empty() else get_node(player_path)
	if _player == null:
		_player = AudioStreamPlayer.new()
		add_child(_player)
	set_process(false)


# `fields` may have voice, accent, priority and turn.
func speak(text: String, fields := {}) -> void:
	stop()
	var wire := Wire.new()
	wire.text(1, npc)
	wire.text(2, text)
	wire.text(3, fields.get("voice", ""))
	wire.text(4, fields.get("accent", ""))
	wire.number(9, fields.get("priority", 0))
	wire.number(12, fields.get("turn", 0))
	wire.number(15, int(lip_sync))
	_request = wire.framed()
	_tries = 0
	_wait_s = 0.25
	_deadline = Time.get_ticks_msec() + int(1000 * timeout_s)
	underruns = 0
	_begin()
	set_process(true)


func is_speaking() -> bool:
	return is_processing()


# Silent at once, on the server too. Nothing to stop is fine.
func stop() -> void:
	if is_speaking():
		_finish()
		ended.emit(true)


# Of the line: the clock that mouth shapes count by.
func samples_played() -> int:
	if _playback == null:
		return 0
	return maxi(0, _num_pushed - (_capacity - _playback.get_frames_available()))


func _exit_tree() -> void:
	stop()


func _begin() -> void:
	_tries += 1
	_again_at = 0
	_is_sent = false
	_is_received = false
	_frames = PackedByteArray()
	_waiting = []
	_num_waiting = 0
	_rate = 0
	_num_received = 0
	_num_pushed = 0
	_total = -1
	_reason = 0
	_openness = PackedFloat32Array()
	_weights = PackedFloat32Array()
	_http = HTTPClient.new()
	if _http.connect_to_host(host, port, TLSOptions.client() if use_tls else null) != OK:
		_lose("no connection")


func _process(_delta: float) -> void:
	if _again_at > 0:
		if Time.get_ticks_msec() >= _again_at:
			_begin()
		return
	if not _is_received:
		_receive()
	if not is_speaking() or _again_at > 0:
		return
	if Time.get_ticks_msec() > _deadline:
		_fail(DEADLINE_EXCEEDED, "the deadline passed")
		return
	_play()


func _receive() -> void:
	_http.poll()
	match _http.get_status():
		HTTPClient.STATUS_CONNECTED:
			if _is_sent:
				_lose("the connection ended in the middle")
			else:
				_is_sent = true
				if _http.request_raw(HTTPClient.METHOD_POST, SYNTHESIZE, _headers(), _request) != OK:
					_lose("the request could not be sent")
		HTTPClient.STATUS_BODY:
			if _http.get_response_code() != 200:
				_fail(2, "HTTP %d is no answer of kani-npc" % _http.get_response_code())
				return
			# All that is there, so that a slow picture does not make a slow line.
			while _http.get_status() == HTTPClient.STATUS_BODY:
				var chunk := _http.read_response_body_chunk()
				if chunk.is_empty():
					break
				_frames.append_array(chunk)
			_take_frames()
		HTTPClient.STATUS_RESOLVING, HTTPClient.STATUS_CONNECTING, HTTPClient.STATUS_REQUESTING:
			pass
		_:
			_lose("the connection ended in the middle")


func _headers() -> PackedStringArray:
	var left_ms := maxi(1, _deadline - Time.get_ticks_msec())
	var headers := PackedStringArray(
		["Content-Type: application/grpc-web+proto", "X-Grpc-Web: 1", "Grpc-Timeout: %dm" % left_ms]
	)
	if project != "":
		headers.append("Kani-Project: " + project)
	if token != "":
		headers.append("Authorization: Bearer " + token)
	return headers


func _take_frames() -> void:
	var at := 0
	while is_speaking() and not _is_received and _frames.size() - at >= 5:
		var size := _frames[at + 1] << 24 | _frames[at + 2] << 16 | _frames[at + 3] << 8 | _frames[at + 4]
		var flags := _frames[at]
		if size > MAX_FRAME_BYTES or (flags & 127) != 0:
			_fail(INTERNAL, "the answer is not gRPC-Web")
			return
		if _frames.size() - at - 5 < size:
			break
		var content := _frames.slice(at + 5, at + 5 + size)
		at += 5 + size
		if (flags & 128) != 0:
			_take_trailers(content.get_string_from_utf8())
		elif not _take_event(content):
			_fail(DATA_LOSS, "the speech that came is not whole")
			return
	if at > 0:
		_frames = _frames.slice(at)


func _take_trailers(block: String) -> void:
	var trailers := {}
	for line in block.split("\n"):
		var colon := line.find(":")
		if colon > 0:
			trailers[line.substr(0, colon).strip_edges().to_lower()] = line.substr(colon + 1).strip_edges()
	var code := int(trailers.get("grpc-status", "2"))
	var message: String = trailers.get("grpc-message", "").uri_decode()
	if code == 0 and _total != _num_received:
		_fail(DATA_LOSS, "the speech that came is not whole")
	elif code == 0:
		_is_received = true
		# Interrupted, or another turn took its place: somebody wants silence now.
		if _reason == 3 or _reason == 4:
			stop()
	elif (code == UNAVAILABLE or code == RESOURCE_EXHAUSTED) and _rate == 0:
		_again(code, message)
	else:
		_fail(code, message)


# SynthesizeResponse. False where the line cannot be whole any more.
func _take_event(bytes: PackedByteArray) -> bool:
	var event: Variant = Wire.fields(bytes)
	if event == null or _total >= 0:
		return false
	if event.has(1):
		var header: Variant = Wire.fields(event[1].back())
		if header == null or _rate > 0:
			return false
		_start(header)
	elif event.has(4):
		var timing: Variant = Wire.fields(event[4].back())
		if timing != null:
			_take_timing(timing)
	elif event.has(2):
		var audio: Variant = Wire.fields(event[2].back())
		if audio == null or _rate == 0 or Wire.last(audio, 2, 0) != _num_received:
			return false
		_take_audio(Wire.last(audio, 1, PackedByteArray()))
	elif event.has(3):
		var end: Variant = Wire.fields(event[3].back())
		if end == null or Wire.last(end, 2, 0) != _num_received:
			return false
		_total = _num_received
		_reason = Wire.last(end, 1, 0)
	return true # what is none of these is of a later version


func _start(header: Dictionary) -> void:
	_rate = Wire.last(header, 3, 0)
	_needed = int(_rate * maxf(prebuffer_s, Wire.last(header, 11, 0) / 1000.0))
	var generator := AudioStreamGenerator.new()
	generator.mix_rate = _rate
	generator.buffer_length = QUEUED_S
	_player.stream = generator
	_playback = null
	started.emit({
		"utterance_id": Wire.last(header, 1, PackedByteArray()).get_string_from_utf8(),
		"rate": _rate,
		"voice": Wire.last(header, 4, PackedByteArray()).get_string_from_utf8(),
	})


func _take_audio(bytes: PackedByteArray) -> void:
	var count := bytes.size() / 2
	for from in range(0, count, PIECE):
		var piece := PackedVector2Array()
		piece.resize(mini(PIECE, count - from))
		for i in piece.size():
			piece[i] = Vector2.ONE * (bytes.decode_s16(2 * (from + i)) / 32768.0)
		_waiting.append(piece)
	_num_waiting += count
	_num_received += count


func _take_timing(timing: Dictionary) -> void:
	_hop_samples = Wire.last(timing, 2, 0)
	_openness.append_array(Wire.floats(Wire.last(timing, 4, PackedByteArray())))
	_weights.append_array(Wire.floats(Wire.last(timing, 3, PackedByteArray())))


func _play() -> void:
	if _playback == null:
		if _rate == 0 or (_num_waiting < _needed and not _is_received):
			return
		_player.play()
		_playback = _player.get_stream_playback()
		_capacity = _playback.get_frames_available() # more than was asked for: a power of two
	underruns = _playback.get_skips() if not _is_received else underruns
	while not _waiting.is_empty() and _playback.get_frames_available() >= _waiting[0].size():
		_playback.push_buffer(_waiting[0])
		_num_waiting -= _waiting[0].size()
		_num_pushed += _waiting[0].size()
		_waiting.pop_front()
	_move_mouth()
	if _is_received and _num_waiting == 0 and samples_played() >= _num_received:
		_finish()
		ended.emit(false)


func _move_mouth() -> void:
	var hop := samples_played() / _hop_samples if _hop_samples > 0 else _openness.size()
	if hop < _openness.size() and NUM_VISEMES * (hop + 1) <= _weights.size():
		mouth.emit(_openness[hop], _weights.slice(NUM_VISEMES * hop, NUM_VISEMES * (hop + 1)))


func _lose(message: String) -> void:
	if _rate == 0:
		_again(UNAVAILABLE, message)
	else:
		_fail(UNAVAILABLE, message)


# The same call again, for as long as nothing of it was heard.
func _again(code: int, message: String) -> void:
	var wait_ms := int(1000 * _wait_s * randf_range(0.5, 1.0))
	_wait_s = minf(8.0, 2 * _wait_s)
	_http.close()
	if _tries == MAX_TRIES or Time.get_ticks_msec() + wait_ms >= _deadline:
		_fail(code, message)
	else:
		_again_at = Time.get_ticks_msec() + wait_ms


func _fail(code: int, message: String) -> void:
	_finish()
	failed.emit(code, message)


func _finish() -> void:
	set_process(false)
	_http.close()
	_player.stop()
	_playback = null
	_rate = 0
	_waiting = []
	_num_waiting = 0
	var closed := PackedFloat32Array()
	closed.resize(NUM_VISEMES)
	closed[0] = 1.0
	mouth.emit(0.0, closed)
