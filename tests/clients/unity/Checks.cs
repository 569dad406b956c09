// Runs the methods of a class that the test names: `Program.exe Class.Method argument...`.
using System;
using System.Diagnostics;
using System.Reflection;
using System.Threading;

static class Check
{
    internal static string[] Arguments;

    static int Main(string[] arguments)
    {
        string[] name = arguments[0].Split('.');
        Arguments = arguments;
        try
        {
            Assembly.GetExecutingAssembly().GetType(name[0]).GetMethod(name[1]).Invoke(null, null);
            return 0;
        }
        catch (TargetInvocationException error)
        {
            Console.WriteLine(error.InnerException);
            return 1;
        }
    }

    internal static void That(bool isSo, string message)
    {
        if (!isSo) throw new Exception(message);
    }

    internal static void Equal<T>(T expected, T found, string what)
    {
        That(Equals(expected, found), what + ": " + expected + " expected, " + found + " found");
    }

    /// <summary>Generous: a busy machine is no failure.</summary>
    internal static void Soon(Func<bool> isSo, string what)
    {
        var clock = Stopwatch.StartNew();
        while (!isSo())
        {
            That(clock.Elapsed.TotalSeconds < 30, "never: " + what);
            Thread.Sleep(2);
        }
    }

    internal static T Throws<T>(Action action) where T : Exception
    {
        try
        {
            action();
        }
        catch (AggregateException error) when (error.GetBaseException() is T)
        {
            return (T)error.GetBaseException();
        }
        catch (T error)
        {
            return error;
        }
        throw new Exception("no " + typeof(T).Name);
    }
}
