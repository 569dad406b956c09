"""What protoc starts: a request on standard input, an answer on standard output.

The parameter is the language, `csharp` or `cpp`, then, after a comma each, messages to write although no service of
ours names them: `csharp,google.rpc.Status`.
"""

import sys

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse

from tools.protoc_gen_kani import cpp, csharp
from tools.protoc_gen_kani.schema import File, Unsupported, load


def written(language: str, files: list[File]) -> dict[str, str]:
    """File name -> text. Raises `Unsupported`."""
    if language == "csharp":
        return {csharp.file_name(file): csharp.emit(file) for file in files}
    if language == "cpp":
        return {f"{cpp.stem(file.name)}.h": cpp.emit_header(file) for file in files} | {
            f"{cpp.stem(file.name)}.cpp": cpp.emit_source(file) for file in files if file.messages
        }
    raise Unsupported(f"unknown language {language!r}: csharp or cpp")


def main() -> int:
    request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    response = CodeGeneratorResponse(
        supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
    )
    language, *roots = request.parameter.split(",")
    try:
        # Google's files are given so that they can be looked into, and only what is needed of them is written.
        ours = [name for name in request.file_to_generate if not name.startswith("google/")]
        files = load(request.proto_file, ours, roots)
        for name, text in written(language, files).items():
            response.file.add(name=name, content=text)
    except Unsupported as problem:
        response.error = str(problem)
    sys.stdout.buffer.write(response.SerializeToString())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
