"""Callbacks as programs of the kernels: what `elementwise` records of them in TypeScript."""

import ctypes
import functools

from kernels import Hypers, names_of

CODES = {name: i for i, name in enumerate(names_of("fastopt_code"))}
ARRAYS = {name: i for i, name in enumerate(names_of("fastopt_array"))}


class Node(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int32) for name in ("code", "a", "b", "c", "index")] + [("value", ctypes.c_double)]


class NativeProgram(ctypes.Structure):
    _fields_ = [("nodes", ctypes.POINTER(Node)), ("count", ctypes.c_int64)]


class Term:
    """A node of a program, with the operators of Python."""

    def __init__(self, nodes, number):
        self.nodes, self.number = nodes, number

    def apply(self, code, *operands):
        terms = [o if isinstance(o, Term) else add(self.nodes, "CONSTANT", value=o) for o in operands]
        return add(self.nodes, code, *(term.number for term in terms))

    def __add__(self, other):
        return self.apply("ADD", self, other)

    def __sub__(self, other):
        return self.apply("SUB", self, other)

    def __rsub__(self, other):
        return self.apply("SUB", other, self)

    def __mul__(self, other):
        return self.apply("MUL", self, other)

    def __truediv__(self, other):
        return self.apply("DIV", self, other)

    def __pow__(self, other):
        return self.apply("POW", self, other)

    def sqrt(self):
        return self.apply("SQRT", self)


def add(nodes, code, *operands, index=0, value=0):
    nodes.append(Node(CODES[code], *operands, *[0] * (3 - len(operands)), index, value))
    return Term(nodes, len(nodes) - 1)


def program(run):
    """Records a function of arrays, `step` and hyper-parameters by their names, which returns new values of arrays."""
    nodes = []
    arrays = dict(zip(("p", "g", "grad_avg", "sqr_avg"), ARRAYS.values()))
    hypers = [name for name, _ in Hypers._fields_]

    def leaf(name):
        if name in arrays:
            return add(nodes, "ELEMENT", index=arrays[name])
        return add(nodes, "COUNTER") if name == "step" else add(nodes, "HYPER", index=hypers.index(name))

    names = run.__code__.co_varnames[: run.__code__.co_argcount]
    for name, value in run(*map(leaf, names)).items():
        add(nodes, "STORE", value.number, index=arrays[name])
    return NativeProgram((Node * len(nodes))(*nodes), len(nodes))


def decay(p, lr, wd):
    return {"p": p * (1 - lr * wd)}


def average_grad(g, grad_avg, mom):
    return {"grad_avg": grad_avg * mom + g * (1 - mom)}


def average_sqr_grad(g, sqr_avg, sqr_mom):
    return {"sqr_avg": sqr_avg * sqr_mom + g * g * (1 - sqr_mom)}


def nadam_step(p, g, grad_avg, sqr_avg, step, lr, mom, sqr_mom, eps):
    num = grad_avg * mom + g * (1 - mom)
    denom = (sqr_avg / (1 - sqr_mom**step)).sqrt() + eps
    return {"p": p - num / denom * (lr / (1 - mom**step))}


@functools.cache
def nadam_programs():
    return [program(run) for run in (decay, average_grad, average_sqr_grad, nadam_step)]
