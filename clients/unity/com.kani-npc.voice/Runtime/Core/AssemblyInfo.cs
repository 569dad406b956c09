using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("KaniNpc.Editor.Tests")]
