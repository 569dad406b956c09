// Runs the package's play-mode tests as Unity's Test Runner would: each coroutine a step a picture, beside an audio thread
// that pulls from whatever plays. `PlayMode.exe TESTS.dll` prints a line for each test: its name, and how it went.
using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Threading;
using NUnit.Framework;
using UnityEngine;
using UnityEngine.TestTools;

static class PlayMode
{
    private const int PictureMs = 8, Buffer = 512;

    static int Main(string[] arguments)
    {
        var audio = new Thread(Hear) { IsBackground = true };
        audio.Start();
        bool isFine = true;
        foreach (Type fixture in Assembly.LoadFrom(arguments[0]).GetTypes())
            foreach (MethodInfo test in fixture.GetMethods())
            {
                bool isCoroutine = test.IsDefined(typeof(UnityTestAttribute), false);
                if (!isCoroutine && !test.IsDefined(typeof(TestAttribute), false)) continue;
                string outcome = Outcome(fixture, test);
                Console.WriteLine(test.Name + ": " + outcome);
                isFine &= outcome == "fine";
            }
        return isFine ? 0 : 1;
    }

    private static string Outcome(Type fixture, MethodInfo test)
    {
        object tests = Activator.CreateInstance(fixture);
        try
        {
            Send<SetUpAttribute>(tests);
            var steps = test.Invoke(tests, null) as IEnumerator;
            if (steps != null) Run(steps);
            return "fine";
        }
        catch (Exception error)
        {
            Exception cause = error is TargetInvocationException ? error.InnerException : error;
            return cause is IgnoreException ? "ignored, " + cause.Message : cause.ToString().Replace('\n', ' ');
        }
        finally
        {
            Send<TearDownAttribute>(tests);
        }
    }

    private static void Send<T>(object tests) where T : Attribute
    {
        foreach (MethodInfo method in tests.GetType().GetMethods().Where(m => m.IsDefined(typeof(T), false))) method.Invoke(tests, null);
    }

    private static void Run(IEnumerator steps)
    {
        var stack = new Stack<IEnumerator>();
        stack.Push(steps);
        while (stack.Count > 0)
        {
            if (!stack.Peek().MoveNext()) stack.Pop();
            else if (stack.Peek().Current is IEnumerator) stack.Push((IEnumerator)stack.Peek().Current);
            else
            {
                foreach (GameObject each in GameObject.Everything) each.Send("Update");
                Thread.Sleep(PictureMs);
            }
        }
    }

    // One clock for all sources, each at the rate of its clip, as the engine's mixer reads them.
    private static void Hear()
    {
        var owed = new Dictionary<AudioSource, double>();
        var clock = System.Diagnostics.Stopwatch.StartNew();
        for (double seconds = 0; ; )
        {
            foreach (GameObject each in GameObject.Everything)
            {
                var source = each.GetComponent<AudioSource>();
                AudioClip clip = source == null ? null : source.clip;
                if (clip == null) continue;
                double samples;
                owed.TryGetValue(source, out samples);
                samples += Buffer * (double)clip.frequency / AudioSettings.outputSampleRate;
                source.Render(new float[(int)samples], new float[2 * (int)samples]);
                owed[source] = samples - (int)samples;
            }
            seconds += (double)Buffer / AudioSettings.outputSampleRate;
            while (clock.Elapsed.TotalSeconds < seconds) Thread.Sleep(1);
        }
    }
}
