"""A protoc plugin that writes the wire's messages as plain C# 7 and C++17, for engines that cannot take protobuf's own.

    protoc --plugin=protoc-gen-kani=... --kani_out=csharp:OUT ...     # or cpp:OUT

What it writes needs a page of hand-written code (`Wire.cs`, `wire.h`) and nothing else: no reflection, no exceptions
in C++, no run-time library. Wire types are checked and strings are UTF-8, as in protobuf's own parsers; fields that
are not known are skipped and not kept.
"""
