"""Making the graph: weights in, the shipped .onnx files with their facts out. Never imported by the
package.
"""
