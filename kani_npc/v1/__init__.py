"""The wire contract, generated from `proto/` by `make proto`; never edited. Imports grpc and protobuf, nothing of ours."""
