// As much of UnityEngine's public API as the package uses, signatures as in docs.unity3d.com/2021.3/ScriptReference, with
// just enough behind them to run components and to pull their sound. Never shipped.
using System;
using System.Collections.Generic;
using System.Reflection;

namespace UnityEngine
{
    public class Object
    {
        public string name = "";
        public static void Destroy(Object o) { DestroyImmediate(o); }
        public static void DestroyImmediate(Object o)
        {
            var body = o as GameObject;
            if (body != null) body.Remove();
        }
    }

    public class ScriptableObject : Object
    {
        public static T CreateInstance<T>() where T : ScriptableObject, new() { return new T(); }
    }

    public class Component : Object
    {
        public GameObject gameObject { get; internal set; }
        public Transform transform { get { return gameObject.transform; } }
        public T GetComponent<T>() where T : class { return gameObject.GetComponent<T>(); }

        // What the engine does by itself.
        internal void Send(string message)
        {
            MethodInfo method = GetType().GetMethod(message, BindingFlags.Instance | BindingFlags.NonPublic);
            if (method != null) method.Invoke(this, null);
        }
    }

    public class Behaviour : Component
    {
        private bool _enabled = true;

        public bool enabled
        {
            get { return _enabled; }
            set
            {
                if (_enabled && !value) Send("OnDisable");
                _enabled = value;
            }
        }
    }

    public class MonoBehaviour : Behaviour { }

    public sealed class GameObject : Object
    {
        private static readonly List<GameObject> Scene = new List<GameObject>();
        private readonly List<Component> _components = new List<Component>();
        public readonly Transform transform = new Transform();

        public GameObject() : this("New Game Object") { }

        public GameObject(string name)
        {
            this.name = name;
            lock (Scene) Scene.Add(this);
        }

        // All that is in the scene now.
        public static GameObject[] Everything { get { lock (Scene) return Scene.ToArray(); } }

        public T AddComponent<T>() where T : Component, new()
        {
            foreach (RequireComponent needed in typeof(T).GetCustomAttributes(typeof(RequireComponent), true))
                if (!_components.Exists(c => needed.Type.IsInstanceOfType(c)))
                    Add((Component)Activator.CreateInstance(needed.Type));
            var component = new T();
            Add(component);
            return component;
        }

        private void Add(Component component)
        {
            component.gameObject = this;
            lock (_components) _components.Add(component);
        }

        internal void Remove()
        {
            lock (Scene) Scene.Remove(this);
            Send("OnDisable");
            Send("OnDestroy");
        }

        public T GetComponent<T>() where T : class
        {
            foreach (Component c in Components())
                if (c is T) return (T)(object)c;
            return null;
        }

        // What the engine does by itself.
        public void Send(string message)
        {
            foreach (Component c in Components()) c.Send(message);
        }

        private Component[] Components() { lock (_components) return _components.ToArray(); }

        internal Action<float[], int> Filter()
        {
            foreach (Component c in Components())
            {
                MethodInfo method = c.GetType().GetMethod("OnAudioFilterRead", BindingFlags.Instance | BindingFlags.NonPublic);
                if (method != null)
                    return (Action<float[], int>)Delegate.CreateDelegate(typeof(Action<float[], int>), c, method);
            }
            return null;
        }
    }

    public sealed class Transform
    {
        public Vector3 position { get; set; }
        public Quaternion localRotation { get; set; }
    }

    public struct Vector2 { }

    public struct Vector3
    {
        public float x, y, z;
        public static float Distance(Vector3 a, Vector3 b)
        {
            float x = a.x - b.x, y = a.y - b.y, z = a.z - b.z;
            return (float)Math.Sqrt(x * x + y * y + z * z);
        }
    }

    public struct Quaternion
    {
        public float x;
        public static Quaternion Euler(float x, float y, float z) { return new Quaternion { x = x }; }
    }

    public sealed class AudioClip : Object
    {
        public delegate void PCMReaderCallback(float[] data);

        public int samples { get; private set; }
        public int frequency { get; private set; }
        internal PCMReaderCallback Reader;
        internal float[] Data;

        public static AudioClip Create(string name, int lengthSamples, int channels, int frequency, bool stream)
        {
            return new AudioClip { name = name, samples = lengthSamples, frequency = frequency, Data = new float[lengthSamples] };
        }

        public static AudioClip Create(
            string name, int lengthSamples, int channels, int frequency, bool stream, PCMReaderCallback pcmreadercallback)
        {
            return new AudioClip { name = name, samples = lengthSamples, frequency = frequency, Reader = pcmreadercallback };
        }

        public bool SetData(float[] data, int offsetSamples)
        {
            Array.Copy(data, 0, Data, offsetSamples, data.Length);
            return true;
        }
    }

    public sealed class AudioSource : Behaviour
    {
        private volatile AudioClip _clip;
        private volatile bool _isPlaying;
        private volatile int _position;

        public AudioClip clip { get { return _clip; } set { _clip = value; } }
        public bool loop { get; set; }
        public int timeSamples { get { return _position; } }
        public bool isPlaying { get { return _isPlaying; } }
        public void Play() { _position = 0; _isPlaying = true; }
        public void Stop() { _isPlaying = false; }

        // Of the audio thread: the next buffer at the clip's rate, silence where nothing plays.
        public void Render(float[] mono, float[] interleaved)
        {
            AudioClip playing = _clip;
            Array.Clear(mono, 0, mono.Length);
            if (!_isPlaying || playing == null) return;
            if (playing.Reader != null) playing.Reader(mono);
            else
                for (int i = 0; i < mono.Length; i++) mono[i] = playing.Data[(_position + i) % playing.samples];
            Action<float[], int> filter = gameObject.Filter();
            if (filter != null)
            {
                for (int i = 0; i < interleaved.Length; i++) interleaved[i] = mono[i / 2];
                filter(interleaved, 2);
                for (int i = 0; i < mono.Length; i++) mono[i] = interleaved[2 * i];
            }
            _position = (_position + mono.Length) % playing.samples;
        }
    }

    public sealed class AudioListener : Behaviour { }

    public static class AudioSettings
    {
        public static int outputSampleRate = 48000;
    }

    public static class Debug
    {
        public static void Log(object message) { Console.Error.WriteLine(message); }
        public static void LogWarning(object message) { Console.Error.WriteLine(message); }
    }

    [Flags]
    public enum HideFlags { None = 0, HideAndDontSave = 61 }

    public static class GUILayout
    {
        public static bool Button(string text, params GUILayoutOption[] options) { return false; }
        public static int SelectionGrid(int selected, string[] texts, int xCount, params GUILayoutOption[] options) { return selected; }
    }

    public sealed class GUILayoutOption { }

    [AttributeUsage(AttributeTargets.Class)]
    public sealed class AddComponentMenu : Attribute { public AddComponentMenu(string menuName) { } }

    [AttributeUsage(AttributeTargets.Class)]
    public sealed class RequireComponent : Attribute
    {
        internal readonly Type Type;
        public RequireComponent(Type requiredComponent) { Type = requiredComponent; }
    }

    [AttributeUsage(AttributeTargets.Class)]
    public sealed class CreateAssetMenuAttribute : Attribute { public string menuName { get; set; } public string fileName { get; set; } }

    [AttributeUsage(AttributeTargets.Field)]
    public sealed class SerializeField : Attribute { }

    [AttributeUsage(AttributeTargets.Field)]
    public sealed class TooltipAttribute : Attribute { public TooltipAttribute(string tooltip) { } }

    [AttributeUsage(AttributeTargets.Field)]
    public sealed class RangeAttribute : Attribute { public RangeAttribute(float min, float max) { } }
}

namespace UnityEngine.Events
{
    public class UnityEvent
    {
        public void Invoke() { }
    }

    public class UnityEvent<T0>
    {
        public void Invoke(T0 arg0) { }
    }
}
