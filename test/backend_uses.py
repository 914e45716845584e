"""What the backend's sources use of TensorRT and CUDA, found in their syntax trees."""

import ast
import re


class Uses:
    """Follows values of TensorRT through a module, by what the bindings say each call returns.

    used     (class or "", member) that the sources name
    faults   calls whose arguments fit no signature, and members of values whose class is unknown
    missing  (class or "", member) that the bindings lack
    """

    def __init__(self, tree, names):
        self.names = names
        self.used, self.faults, self.missing, self.calls = set(), [], set(), set()
        self.body(tree.body, {"tensorrt": "module"})

    def body(self, statements, env):
        for statement in statements:
            self.walk(statement, env)

    def walk(self, node, env):
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                self.infer(base, env)
            self.body(node.body, env)
        elif isinstance(node, (ast.FunctionDef, ast.Lambda)):
            inner = dict(env) if isinstance(node, ast.Lambda) else env | self.parameters(node)
            body = node.body if isinstance(node.body, list) else [node.body]
            self.body(body, inner)
            env |= {name: kind for name, kind in inner.items() if name.startswith("self.")}
        elif isinstance(node, ast.Assign):
            kind = self.infer(node.value, env)
            for target in node.targets:
                if isinstance(target, ast.Attribute):
                    self.infer(target, env)
                if kind is not None or ast.unparse(target) in env:
                    env[ast.unparse(target)] = kind
        elif isinstance(node, ast.expr):
            self.infer(node, env)
        else:
            for child in ast.iter_child_nodes(node):
                self.walk(child, env)

    def parameters(self, function):
        found = {}
        for one in function.args.args:
            text = "" if one.annotation is None else ast.unparse(one.annotation).strip("'\"")
            kind = text.removeprefix("tensorrt.") if text.startswith("tensorrt.") else None
            if kind is not None and kind not in self.names:
                self.missing.add(("", kind))
            found[one.arg] = kind
        return found

    def infer(self, node, env):
        """The class of a value, "module", "type:CLASS" or "method:CLASS.NAME"; None for others."""
        if isinstance(node, ast.Name):
            return env.get(node.id)
        if isinstance(node, ast.Attribute):
            if ast.unparse(node) in env:
                return env[ast.unparse(node)]
            return self.member(self.infer(node.value, env), node.attr)
        if isinstance(node, ast.Call):
            function = self.infer(node.func, env)
            arguments = [self.infer(one, env) for one in node.args]
            for one in node.keywords:
                self.infer(one.value, env)
            return self.call(function, arguments, [one.arg for one in node.keywords])
        for child in ast.iter_child_nodes(node):
            self.walk(child, env)
        return None

    def member(self, base, name):
        if base is None or base.startswith(("method:", "unbound:")):
            return None
        owner = "" if base == "module" else base.removeprefix("type:")
        if owner and owner not in self.names:
            return None
        self.used.add((owner, name))
        found = self.names.get(name) if not owner else self.names[owner]["class"].get(name)
        if found is None:
            self.missing.add((owner, name))
            return None
        if "class" in found:
            return f"type:{name}"
        if "signatures" in found:
            kind = "unbound" if base.startswith("type:") else "method"
            return f"{kind}:{owner}.{name}"
        return found["returns"]

    def call(self, function, arguments, keywords):
        if function is None or not function.startswith(("type:", "method:", "unbound:")):
            return None
        if function.startswith("unbound:"):
            arguments = arguments[1:]  # self
        owner, _, name = function.partition(":")[2].partition(".")
        overloads = self.names[owner]["class"][name or "__init__"]["signatures"]
        self.calls.add(f"{owner}.{name or '__init__'}")
        for one in overloads:
            if self.fits(one["parameters"], arguments, keywords):
                return one["returns"] if name else owner
        if name or arguments or keywords:
            self.faults.append(f"{owner}.{name}({arguments}, {keywords}): {overloads}")
        return owner if not name else None

    def fits(self, parameters, arguments, keywords):
        rest = parameters[len(arguments) :]
        names = [name for name, _, _ in rest]
        return (
            len(arguments) <= len(parameters)
            and set(keywords) <= set(names)
            and all(optional or name in keywords for name, optional, _ in rest)
            and all(
                kind is None or kind not in self.names or wanted not in self.names or kind == wanted
                for kind, (_, _, wanted) in zip(arguments, parameters, strict=False)
            )
        )


def cuda_uses(tree):
    """Function to its number of arguments (None: not seen), and class to the members named."""
    functions, members, errors = {}, set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if re.fullmatch(r"cudaError[A-Z]\w+", node.value):
                errors.add(node.value)
            elif re.fullmatch(r"cuda[A-Z]\w+", node.value):
                functions.setdefault(node.value, None)
        if isinstance(node, ast.Attribute) and re.fullmatch(r"cuda[A-Z]\w+", node.attr):
            members.add(node.attr)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "_call":
            name = node.args[0]
            if isinstance(name, ast.Constant):
                functions[name.value] = len(node.args) - 1
    return functions, members, errors
