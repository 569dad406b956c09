// NUnit's assertions, as the tests here say them.
using System;
using NUnit.Framework;

namespace KaniNpc.Editor.Tests
{
    internal static class Check
    {
        internal static void That(bool isSo, string message)
        {
            if (!isSo) Assert.Fail(message);
        }

        internal static void Equal<T>(T expected, T found, string what) { Assert.AreEqual(expected, found, what); }

        /// <summary>What an action throws, or a task that it waited for.</summary>
        internal static T Throws<T>(Action action) where T : Exception
        {
            try
            {
                action();
            }
            catch (Exception error)
            {
                var thrown = error.GetBaseException() as T;
                if (thrown != null) return thrown;
                throw;
            }
            throw new AssertionException("no " + typeof(T).Name);
        }
    }
}
