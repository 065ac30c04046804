"""Short names in ONNX files: the exporter writes the path of every layer again and again."""

FRONT_END = "front_end"  # prefix of nodes of the front end


def with_short_names(content: bytes) -> bytes:
    """Shorten the names of nodes and of values between them.

    Args:
        content: Content of an ONNX file; names of inputs and outputs stay, and nodes of the front
            end are still recognised by `FRONT_END`.

    Returns:
        Content of a file that computes the same.
    """
    import onnx

    model = onnx.load_from_string(content)
    graph = model.graph
    short = {each.name: each.name for each in (*graph.input, *graph.output)} | {"": ""}
    del graph.value_info[:]

    def shorten(name: str) -> str:
        return short.setdefault(name, f"{len(short):x}")

    for each in graph.initializer:
        each.name = shorten(each.name)
    for index, node in enumerate(graph.node):
        node.input[:] = map(shorten, node.input)
        node.output[:] = map(shorten, node.output)
        is_front_end = node.name.strip("/").startswith(FRONT_END)
        node.name = f"{FRONT_END if is_front_end else ''}{index:x}"
    return model.SerializeToString()
