// As much of UnityEngine.TestRunner's public API as the package's tests use; com.unity.test-framework's documentation.
using System;

namespace UnityEngine.TestTools
{
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class UnityTestAttribute : Attribute { }
}
