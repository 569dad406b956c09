@tool
extends EditorPlugin


func _enter_tree() -> void:
	add_custom_type("KaniNpcVoice", "Node", preload("kani_npc_voice.gd"), null)


func _exit_tree() -> void:
	remove_custom_type("KaniNpcVoice")
