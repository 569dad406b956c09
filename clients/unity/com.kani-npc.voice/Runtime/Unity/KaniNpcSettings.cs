// Where the server is, for all NPCs of a game.
using System;
using UnityEngine;

namespace KaniNpc.Unity
{
    /// <summary>An asset: Create > Kani NPC > Settings. All voices that share it share one client.</summary>
    [CreateAssetMenu(menuName = "Kani NPC/Settings", fileName = "KaniNpcSettings")]
    public sealed class KaniNpcSettings : ScriptableObject
    {
        [SerializeField, Tooltip("The server's web port.")]
        private string address = "http://127.0.0.1:8051";

        [SerializeField, Tooltip("Whose NPCs and voices are meant; empty is the server's default project.")]
        private string project = "";

        [SerializeField, Range(0.02f, 1f), Tooltip("So much sound is in hand before a line is heard. Less is sooner, and less sure.")]
        private float prebufferSeconds = 0.12f;

        [SerializeField, Tooltip("A line that takes longer than this is given up. 0 never is.")]
        private float timeoutSeconds = 60f;

        private SpeechClient _client;
        private string _token;

        public float PrebufferSeconds { get { return prebufferSeconds; } }

        internal CallOptions LineOptions
        {
            get
            {
                return new CallOptions
                {
                    Timeout = timeoutSeconds > 0 ? TimeSpan.FromSeconds(timeoutSeconds) : (TimeSpan?)null,
                };
            }
        }

        /// <summary>Made on first use, from what is set then.</summary>
        public SpeechClient Client
        {
            get
            {
                if (_client != null) return _client;
                var calls = new GrpcWebClient(address);
                if (!string.IsNullOrEmpty(project)) calls.AddMetadata("kani-project", project);
                if (!string.IsNullOrEmpty(_token)) calls.AddMetadata("authorization", "Bearer " + _token);
                return _client = new SpeechClient(calls);
            }
        }

        /// <summary>For servers that are not chosen in the editor.</summary>
        public void Connect(string newAddress, string newProject = "")
        {
            address = newAddress;
            project = newProject;
            Close();
        }

        /// <summary>
        /// A token that your game server hands out, from the next line on. It is not part of the asset: what is built into
        /// a game can be read out of it.
        /// </summary>
        public void Authorize(string token)
        {
            _token = token;
            Close();
        }

        private void OnDisable() { Close(); }

        private void Close()
        {
            if (_client != null) _client.Dispose();
            _client = null;
        }
    }
}
