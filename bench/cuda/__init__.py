"""Levers: other ways to have ONNX Runtime double frames on CUDA, each beside the library's own."""
