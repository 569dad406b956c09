extends Node
# A character that speaks: `$Voice.speak("Halt! Who goes there?")`. One line at a time; a new one takes the place of the
# old one. Everything happens on the main thread, in `_process`.

# A line begins to be received: {utterance_id, rate, voice}.
signal started(header)
# All of it was played, or it was stopped.
signal ended(was_stopped)
# It did not come whole: gRPC's status code, and why.
signal failed(code, message)
# How open the mouth is (0 to 1), and the weights of the 15 visemes, by the samples that were played.
signal mouth(openness, weights)

const Wire = preload("wire.gd")

const SYNTHESIZE = "/kani_npc.v1.SpeechService/Synthesize"
const UNAVAILABLE = 14
const RESOURCE_EXHAUSTED = 8
const DATA_LOSS = 15
const DEADLINE_EXCEEDED = 4
const MAX_TRIES = 4
const MAX_FRAME_BYTES = 4 * 1024 * 1024
const NUM_VISEMES = 15
const QUEUED_S = 0.5 # of sound that Godot's generator holds, at least
const PIECE = 512 # samples that are given to it at once

# The server's web port.
export var host = "127.0.0.1"
export var port = 8051
export var use_tls = false
# Whose NPCs are meant; empty is the server's default project.
export var project = ""
# The NPC's id on the server. Empty: the server's default voice.
export var npc = ""
export var prebuffer_s = 0.12
export var timeout_s = 60.0
export var lip_sync = true
# An AudioStreamPlayer, 2D or 3D. Empty: one of its own.
export(NodePath) var player_path

# A token that your game server hands out.
var token = ""
# How often sound was missing in the middle of the line.
var underruns = 0

var _player
var _playback
var _capacity = 0 # of the generator, in samples
var _http
var _request = PoolByteArray()
var _is_sent = false
var _is_received = false
var _tries = 0
var _again_at = 0
var _wait_s = 0.25
var _deadline = 0
var _frames = PoolByteArray()
var _rate = 0
var _needed = 0
var _waiting = [] # pieces of sound that were not given to Godot yet
var _num_waiting = 0
var _num_received = 0
var _num_pushed = 0
var _total = -1
var _reason = 0
var _hops = []
var _hop_samples = 0


func _ready():
	_player = get_node(player_path) if player_path else null
	if _player == null:
		_player = AudioStreamPlayer.new()
		add_child(_player)
	set_process(false)


# `fields` may have voice, accent, priority and turn.
func speak(text, fields = {}):
	stop()
	var wire = Wire.new()
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
	_deadline = OS.get_ticks_msec() + int(1000 * timeout_s)
	underruns = 0
	_begin()
	set_process(true)


func is_speaking():
	return is_processing()


# Silent at once, on the server too. Nothing to stop is fine.
func stop():
	if is_speaking():
		_finish()
		emit_signal("ended", true)


# Of the line: the clock that mouth shapes count by.
func samples_played():
	if _playback == null:
		return 0
	return int(max(0, _num_pushed - (_capacity - _playback.get_frames_available())))


func _exit_tree():
	stop()


func _begin():
	_tries += 1
	_again_at = 0
	_is_sent = false
	_is_received = false
	_frames = PoolByteArray()
	_waiting = []
	_num_waiting = 0
	_rate = 0
	_num_received = 0
	_num_pushed = 0
	_total = -1
	_reason = 0
	_hops = []
	_http = HTTPClient.new()
	if _http.connect_to_host(host, port, use_tls) != OK:
		_lose("no connection")


func _process(_delta):
	if _again_at > 0:
		if OS.get_ticks_msec() >= _again_at:
			_begin()
		return
	if not _is_received:
		_receive()
	if not is_speaking() or _again_at > 0:
		return
	if OS.get_ticks_msec() > _deadline:
		_fail(DEADLINE_EXCEEDED, "the deadline passed")
		return
	_play()


func _receive():
	_http.poll()
	match _http.get_status():
		HTTPClient.STATUS_CONNECTED:
			if _is_sent:
				_close()
			else:
				_is_sent = true
				_http.request_raw(HTTPClient.METHOD_POST, SYNTHESIZE, _headers(), _request)
		HTTPClient.STATUS_BODY:
			if _http.get_response_code() != 200:
				_fail(2, "HTTP %d is no answer of kani-npc" % _http.get_response_code())
				return
			# All that is there, so that a slow picture does not make a slow line.
			while true:
				var chunk = _http.read_response_body_chunk()
				if chunk.size() == 0:
					break
				_frames.append_array(chunk)
			_take_frames()
		HTTPClient.STATUS_RESOLVING, HTTPClient.STATUS_CONNECTING, HTTPClient.STATUS_REQUESTING:
			pass
		_:
			_close()


func _headers():
	var left_ms = max(1, _deadline - OS.get_ticks_msec())
	var headers = ["Content-Type: application/grpc-web+proto", "X-Grpc-Web: 1", "Grpc-Timeout: %dm" % left_ms]
	if project != "":
		headers.append("Kani-Project: " + project)
	if token != "":
		headers.append("Authorization: Bearer " + token)
	return headers


# The connection is over, and no trailers came.
func _close():
	_lose("the connection ended in the middle")


func _take_frames():
	var at = 0
	while is_speaking() and not _is_received and _frames.size() - at >= 5:
		var size = _frames[at + 1] << 24 | _frames[at + 2] << 16 | _frames[at + 3] << 8 | _frames[at + 4]
		if size > MAX_FRAME_BYTES or (_frames[at] & 127) != 0:
			_fail(13, "the answer is not gRPC-Web")
			return
		if _frames.size() - at - 5 < size:
			break
		var content = _frames.subarray(at + 5, at + 4 + size) if size > 0 else PoolByteArray()
		at += 5 + size
		if (_frames[at - 5 - size] & 128) != 0:
			_take_trailers(content.get_string_from_utf8())
		elif not _take_event(content):
			_fail(DATA_LOSS, "the speech that came is not whole")
			return
	if at > 0:
		_frames = _frames.subarray(at, _frames.size() - 1) if at < _frames.size() else PoolByteArray()


func _take_trailers(block):
	var trailers = {}
	for line in block.split("\n"):
		var colon = line.find(":")
		if colon > 0:
			trailers[line.substr(0, colon).strip_edges().to_lower()] = line.substr(colon + 1).strip_edges()
	var code = int(trailers.get("grpc-status", "2"))
	var message = trailers.get("grpc-message", "").percent_decode()
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
func _take_event(bytes):
	var event = Wire.fields(bytes)
	if event == null or _total >= 0:
		return false
	if event.has(1):
		var header = Wire.fields(event[1].back())
		if header == null or _rate > 0:
			return false
		_start(header)
	elif event.has(4):
		var timing = Wire.fields(event[4].back())
		if timing != null:
			_take_timing(timing)
	elif event.has(2):
		var audio = Wire.fields(event[2].back())
		if audio == null or _rate == 0 or Wire.last(audio, 2, 0) != _num_received:
			return false
		_take_audio(Wire.last(audio, 1, PoolByteArray()))
	elif event.has(3):
		var end = Wire.fields(event[3].back())
		if end == null or Wire.last(end, 2, 0) != _num_received:
			return false
		_total = _num_received
		_reason = Wire.last(end, 1, 0)
	return true # what is none of these is of a later version


func _start(header):
	_rate = Wire.last(header, 3, 0)
	_needed = int(_rate * max(prebuffer_s, Wire.last(header, 11, 0) / 1000.0))
	var generator = AudioStreamGenerator.new()
	generator.mix_rate = _rate
	generator.buffer_length = QUEUED_S
	_player.stream = generator
	_playback = null
	emit_signal("started", {
		"utterance_id": Wire.last(header, 1, PoolByteArray()).get_string_from_utf8(),
		"rate": _rate,
		"voice": Wire.last(header, 4, PoolByteArray()).get_string_from_utf8(),
	})


func _take_audio(bytes):
	var buffer = StreamPeerBuffer.new()
	buffer.data_array = bytes
	var count = bytes.size() / 2
	for from in range(0, count, PIECE):
		var piece = PoolVector2Array()
		piece.resize(int(min(PIECE, count - from)))
		for i in range(piece.size()):
			var sample = buffer.get_16() / 32768.0
			piece[i] = Vector2(sample, sample)
		_waiting.append(piece)
	_num_waiting += count
	_num_received += count


func _take_timing(timing):
	_hop_samples = Wire.last(timing, 2, 0)
	var openness = Wire.floats(Wire.last(timing, 4, PoolByteArray()))
	var weights = Wire.floats(Wire.last(timing, 3, PoolByteArray()))
	for i in range(min(openness.size(), weights.size() / NUM_VISEMES)):
		_hops.append([openness[i], weights.slice(NUM_VISEMES * i, NUM_VISEMES * (i + 1) - 1)])


func _play():
	if _playback == null:
		if _rate == 0 or (_num_waiting < _needed and not _is_received):
			return
		_player.play()
		_playback = _player.get_stream_playback()
		_capacity = _playback.get_frames_available() # more than was asked for: a power of two
	underruns = _playback.get_skips() if not _is_received else underruns
	while not _waiting.empty() and _playback.get_frames_available() >= _waiting[0].size():
		_playback.push_buffer(_waiting[0])
		_num_waiting -= _waiting[0].size()
		_num_pushed += _waiting[0].size()
		_waiting.pop_front()
	_move_mouth()
	if _is_received and _num_waiting == 0 and samples_played() >= _num_received:
		_finish()
		emit_signal("ended", false)


func _move_mouth():
	var hop = int(samples_played() / _hop_samples) if _hop_samples > 0 else _hops.size()
	if hop < _hops.size():
		emit_signal("mouth", _hops[hop][0], _hops[hop][1])


func _lose(message):
	if _rate == 0:
		_again(UNAVAILABLE, message)
	else:
		_fail(UNAVAILABLE, message)


# The same call again, for as long as nothing of it was heard.
func _again(code, message):
	var wait_ms = int(1000 * _wait_s * rand_range(0.5, 1.0))
	_wait_s = min(8.0, 2 * _wait_s)
	_http.close()
	if _tries == MAX_TRIES or OS.get_ticks_msec() + wait_ms >= _deadline:
		_fail(code, message)
	else:
		_again_at = OS.get_ticks_msec() + wait_ms


func _fail(code, message):
	_finish()
	emit_signal("failed", code, message)


func _finish():
	set_process(false)
	_http.close()
	_player.stop()
	_playback = null
	_rate = 0
	_waiting = []
	_num_waiting = 0
	var closed = []
	for i in range(NUM_VISEMES):
		closed.append(1.0 if i == 0 else 0.0)
	emit_signal("mouth", 0.0, closed)
