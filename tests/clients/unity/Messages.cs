// Reads `Type base64` lines, answers each with what the message is when it is written again, or BAD.
using System;
using System.IO;
using KaniNpc;

static class Messages
{
    static void Main()
    {
        var output = new StreamWriter(Console.OpenStandardOutput());
        string line;
        while ((line = Console.ReadLine()) != null)
        {
            string[] words = line.Split(' ');
            var message = (IWireMessage)Activator.CreateInstance(Type.GetType("KaniNpc.V1." + words[0] + ", Core"));
            var input = new WireReader(new ArraySegment<byte>(Convert.FromBase64String(words[1])));
            try
            {
                message.MergeFrom(ref input);
                var writer = new WireWriter();
                message.WriteTo(writer);
                output.WriteLine("=" + Convert.ToBase64String(writer.ToArray()));
            }
            catch (WireException)
            {
                output.WriteLine("BAD");
            }
        }
        output.Flush();
    }
}
