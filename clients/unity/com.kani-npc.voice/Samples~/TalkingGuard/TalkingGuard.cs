// A guard who challenges whoever comes near, falls silent when they leave, and moves his jaw.
using KaniNpc.Unity;
using UnityEngine;

[RequireComponent(typeof(NpcVoice))]
public sealed class TalkingGuard : MonoBehaviour
{
    [SerializeField] private Transform player;
    [SerializeField] private Transform jaw;
    [SerializeField] private float earshot = 6f;
    [SerializeField] private string challenge = "Halt! Who goes there?";

    private NpcVoice _voice;
    private bool _isNear;

    private void Start()
    {
        _voice = GetComponent<NpcVoice>();
        _voice.Mouth += (openness, weights) => jaw.localRotation = Quaternion.Euler(20f * openness, 0f, 0f);
        _voice.Failed += error => Debug.LogWarning("The guard has nothing to say: " + error.Message);
    }

    private void Update()
    {
        bool isNear = Vector3.Distance(player.position, transform.position) < earshot;
        if (isNear && !_isNear) _voice.Speak(challenge);
        if (!isNear && _isNear) _voice.Stop();
        _isNear = isNear;
    }
}
