extends Node
# Says one line and quits. Start a server with `kani-npc serve`, then `godot --path clients/godot`.


func _ready():
	var voice = $Voice
	voice.connect("ended", self, "_on_ended")
	voice.connect("failed", self, "_on_failed")
	voice.speak("Halt! Who goes there?")


func _on_ended(_was_stopped):
	get_tree().quit()


func _on_failed(_code, message):
	printerr(message)
	get_tree().quit(1)
