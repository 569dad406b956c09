extends Node
# Says one line and quits. Start a server with `kani-npc serve`, then `godot --path clients/godot4`.

@onready var voice := $Voice


func _ready() -> void:
	voice.ended.connect(func(_was_stopped: bool) -> void: get_tree().quit())
	voice.failed.connect(_on_failed)
	voice.speak("Halt! Who goes there?")


func _on_failed(_code: int, message: String) -> void:
	printerr(message)
	get_tree().quit(1)
