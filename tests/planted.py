"""Do the tests bite? Bugs of the kind that happen, planted one by one: each has to be noticed.

    python tests/planted.py [--only TEXT] [--jobs N]

For each row of the table the package and its tests are copied to a temporary folder, the bug is
planted there, and the tests named, those of the default run, have to fail: not at import, and not
without the bug. Exit status 1 if a bug survives, or a row is not what it says.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "tinygrad_rnn"
LIMIT = 180.0  # seconds for the tests of a row

# For a file of the package, with the tests (in tests/, as pytest takes them) that kill its bugs:
# a piece that occurs once (however it is laid out), what takes its place, why it happens, and tests of the row's own.
# fmt: off
TABLE = {
    ("engine/walk.py", "engine/test_backward.py"): [
        ("_array(total + g)", "_array(g)", "assignment for accumulation, on the way"),
        ("elif key in self.owned and g.ndim:", "elif g.ndim:", "a borrowed gradient written in place"),
        ("        if not keep:", "        if False:", "retain_graph=False does not free"),
        ("leaf._grad.array += g", "leaf._grad.array[...] = g", "assignment for accumulation"),
        ("if key in self.owned and g.values", "if total is not None and g.values",
         "a part added to a gradient that others hold"),
        ("if version.count != count:", "if version.count < count:", "version counters not compared",
         "tensor/test_in_place.py"),
        ("leaf._grad.version.count += 1", "pass", "a gradient added to does not count as changed",
         "tensor/test_in_place.py"),
        ("xp.sum(g, axis=tuple(axes))", "xp.mean(g, axis=tuple(axes))", "broadcasting undone by a mean",
         "ops/test_rows.py -k 'first_gradient and multiply'"),
        ("if node.hooks and node.birth >= since:", "if node.hooks:",
         "hooks run twice through a checkpoint", "utils/test_recompute.py"),
        ("_run_hooks(node.hooks, g, pending.create), False", "_run_hooks(node.hooks, g, pending.create), owned",
         "what a hook gave is added to in place"),
        ("captured[id(node)] = g, owned", "captured[id(node)] = g, True",
         "gradients of two inputs in one memory"),
        ("and not _retains_grad(x)", "", "a retained gradient added twice",
         "autograd/test_backward_of_several.py"),
        ("if error is not None:  #", "if False:  #", "a walk that failed is not told of",
         "autograd/test_backward_of_several.py")],
    ("engine/plan.py", "tensor/test_in_place.py"): [
        ("wrap(saved[i], node, version)", "wrap(saved[i], node)",
         "an output changed after a recorded gradient", "tensor/test_in_place.py -k second_walk"),
        ("return arg.version, arg.version.count", "return UNCHANGING",
         "versions of what is saved not remembered")],
    ("engine/arguments.py", "tensor/test_in_place.py"): [
        ("if arg.view_version is not None:", "if False:", "a view that is out of date not checked"),
        ("arg.item() if isinstance(arg, np.generic) else arg", "arg", "NumPy scalars turn all float64",
         "ops/test_rows.py -k scalars_are_weak"),
        ("isinstance(data, number_types) or _is_array_of_numbers(data)", "not isinstance(data, list | str)",
         "None and complex numbers let in", "test_errors.py -k logical")],
    ("engine/node.py", "tensor/test_in_place.py"): [
        ("wrap(data, None, base.version,", "wrap(data, None, Version(),", "a view counts for itself"),
        ("    count_change(target.version, name)\n    if recorded", "    if recorded",
         "the version counter not bumped"),
        ("name if count == version.count else None", "name",
         "an old assignment by index is blamed for an optimizer's step"),
        ("    target.version.count += 1\n    target.array,", "    target.array,",
         "an assignment of .data not counted", "tensor/test_data.py"),
        ("target.array, target.version = array, version", "target.array = array",
         "changes through what was assigned as .data not counted", "tensor/test_data.py"),
        ("        reshaped[id(target)] = births()", "        pass",
         "gradients of the old shape for a leaf of another one", "tensor/test_data.py"),
        ("hooks and RETAIN in hooks", "False", "a retained gradient is that of the old value",
         "engine/test_backward.py -k retain"),
        ("target.version.recorded_count += 1", "pass", "views stay valid after a recorded change")],
    ("engine/mode.py", "engine/test_mode.py"): [
        ("in reversed(inner):", "in inner:", "blocks that end out of order are turned round"),
        ("        _leave(self)", "        error[0] or _leave(self)",
         "no_grad not restored after an exception"),
        ("entered[0] is not block", "False", "blocks left in another order"),
        ("_called.set(None)", "pass", "a set_grad_enabled goes back to its making for ever")],
    ("engine/fused.py", "autograd"): [
        ("parents.get(i), node.versions[i])", "parents.get(i), (type(node.versions[i][0])(), 0))",
         "arguments of a recorded gradient unwatched", "tensor/test_in_place.py -k second_walk"),
        ("tuple([i in places for i in range(len(call.inputs))])", "self.needs",
         "gradients computed that nobody asked for"),
        ("versions += [version_of(out) for out in outputs]", "pass",
         "an output that the backward reads may change unnoticed"),
        ("keeps(saved.workspace, arrays)", "False",
         "an output that a workspace keeps may change unnoticed", "autograd/test_own_op.py")],
    ("engine/custom.py", "autograd/test_own_op.py"): [
        ("        return np.may_share_memory(out, array)", "        return False",
         "a custom op's view of its argument unnoticed"),
        ("xp.array(out) if shared else out", "out", "two outputs in one memory"),
        ("out, arrays, 1 if view else 0)", "out, arrays, len(arrays) if view else 0)",
         "a view may show any argument"),
        ("not equal_with_nan(xp, old, new)", "False", "a forward that writes into its argument unnoticed")],
    ("engine/warned.py", "engine/test_warned.py"): [
        ("        if not was_warning(error):\n            raise\n    return rerun_with_warnings", "        raise\n    return rerun_with_warnings",
         "warnings of a step are errors"),
        ("        for kind in kinds:", "        for kind in ():", "warnings are lost"),
        ("        frame = frame.f_back", "        break", "warnings point into the package"),
        ('"call" if how == "warn" else how', '"call"', "the user's errstate not kept"),
        ("_give_registry(error)  #", "pass  #", "a warning of another kind is an error")],
    ("engine/anomaly.py", "engine/test_anomaly.py"): [
        ("and observer.thread != get_ident():", "and False:",
         "a forked child looks for anomalies as its parent's threads do",
         "engine/test_fork.py -k anomaly"),
        ("xp.all(xp.isfinite(array))", "not xp.any(xp.isnan(array))", "infinities overlooked")],
    ("ops/elementwise.py", "ops/test_kinks.py"): [
        ("xp.where(out <= 0, 0.0, g)", "xp.where(out < 0, 0.0, g)", "a slope of 1 at the kink"),
        ("xp.where(x == y, g * 0.5, xp.where(x < y", "xp.where(x == y, g, xp.where(x < y",
         "a tie counted twice"),
        ("lambda g, y: g * y, lambda g, x: g * x)", "lambda g, y: g * y, lambda g, x: g * g * x)",
         "g * g for g: right for a cotangent of 1",
         "ops/test_rows.py -k 'first_gradient and multiply'"),
        ("subtract.vjp(lambda g: g, lambda g: -g)", "subtract.vjp(lambda g: g, lambda g: g)",
         "a sign turned", "ops/test_rows.py -k 'first_gradient and subtract'"),
        ("-g * (x / y) / y)", "-g * (x / y))", "a term dropped",
         "ops/test_rows.py -k 'first_gradient and divide'"),
        ("xp.maximum(x, xp.zeros_like(x)) + xp.log1p(xp.exp(-xp.abs(x)))", "xp.log1p(xp.exp(x))",
         "overflow: not shifted by the maximum", "ops/test_numbers.py")],
    ("ops/reduce.py", "ops/test_rows.py -k 'first_gradient and mean'"): [
        ("_spread(g / count,", "_spread(g,",
         "sum for mean"),
        ("out * (g - xp.sum(g * out, axis=axis, keepdims=True))", "out * g * (1 - out)",
         "softmax taken for elementwise", "ops/test_rows.py -k 'first_gradient and softmax'"),
        ("return xp.flip(xp.cumulative_sum(xp.flip(g, axis=axis), axis=axis), axis=axis)",
         "return xp.cumulative_sum(g, axis=axis)", "not summed from the end",
         "ops/test_rows.py -k 'first_gradient and cumulative'")],
    ("ops/shape.py", "ops/test_rows.py -k 'first_gradient and permute'"): [
        ("_inverse(tuple(axes))", "tuple(axes)", "a permutation for its inverse"),
        ("slice(*part), ...)", "slice(0, part[1] - part[0]), ...)", "each part takes the first",
         "ops/test_rows.py -k 'first_gradient and concat'")],
    ("ops/index.py", "ops/test_rows.py -k 'first_gradient and put'"): [
        ("put.vjp(lambda g, index, xp: xp.put(g, 0.0, index),", "put.vjp(lambda g: g,",
         "what was overwritten keeps its gradient")],
    ("ops/matmul.py", "ops/test_rows.py -k 'first_gradient and matmul'"): [
        ("lambda g, y, xp: xp.matmul(g, xp.matrix_transpose(y))",
         "lambda g, y, xp: xp.matmul(xp.matrix_transpose(g), y)", "the wrong operand transposed"),
        ("g_bias = xp.sum_over_rows(g)", "g_bias = xp.sum_over_rows(g) / len(g)", "mean for sum",
         "ops/test_fused.py -k linear")],
    ("ops/loss.py", "nn/test_losses.py -k mse"): [
        ("-g if needs[1] else None", "g if needs[1] else None", "a sign turned")],
    ("ops/recurrent.py", "ops/test_fused.py -k 'fused_equals and (lstm or gru)'"): [
        ("i, f, g, o = split_gates(", "f, i, g, o = split_gates(", "gate order"),
        ("tanh(z_n + r * n)", "tanh(r * (z_n + n))", "reset acts on the input too"),
        ("n + u * (h - n)", "h + u * (n - h)", "the update gate the other way round")],
    ("kernels/numpy/rnn.py", "kernels/test_numpy_kernels.py"): [
        ("scan.add_biases(b_ih, b_hh)", "scan.add_biases(b_ih, b_ih)", "a bias twice"),
        ("before[-1 if reverse else 0]", "before[0]", "reverse direction forgotten"),
        ("multiply(after, after, g_sums)", "multiply(before, before, g_sums)", "the step before"),
        ("copyto(spare, g_h, where=over)", "pass", "gradient does not wait in the padding")],
    ("kernels/numpy/lstm.py", "kernels/test_numpy_kernels.py"): [
        ("multiply(slopes_f, c_before", "multiply(slopes_f, c_after", "the step after"),
        ("multiply(g_c, f, spare_c)", "copyto(spare_c, g_c)", "the forget gate dropped"),
        ("scan.clear_padding(padding, g_states)", "pass", "W_hr's gradient counts the padding")],
    ("kernels/numpy/gru.py", "kernels/test_numpy_kernels.py"): [
        ("add(spare, direct, spare)", "pass", "the straight way from h to h' dropped")],
    ("kernels/numpy/scan.py", "kernels/test_numpy_kernels.py"): [
        ("[:, None, None] >= lengths", "[:, None, None] > lengths", "lengths off by one"),
        ("return b_hh", "return None", "one bias without the other dropped"),
        ("g_state[...] = 0 if g_last is None else g_last", "g_state[...] = 0",
         "the last state's gradient dropped"),
        ("g_bias.copy() if", "g_bias if", "two gradients in one memory")],
    ("kernels/numpy/embedding.py", "kernels/test_numpy_kernels.py -k 'ids or embedding'"): [
        ("add_rows(table, ids, g)", "table[ids] += g", "repeated ids counted once"),
        ("if not transposed:", "if True:", "the table's layout not asked for"),
        ("start = stop", "start += 1", "segments that overlap")],
    ("kernels/numpy/slices.py", "kernels/test_numpy_kernels.py"): [
        ("np.add(first, other, first)", "np.copyto(first, other)",
         "the last slice's gradient alone"),
        ("np.concatenate(parts, 1,", "np.concatenate(parts[::-1], 1,",
         "slices joined in wrong order")],
    ("kernels/numpy/loss.py", "kernels/test_numpy_kernels.py -k 'cross or ignored'"): [
        ("rows[ignored] = 0", "pass", "ignore_index counts in the mean"),
        ("g[ignored] = 0", "pass", "an ignored row gets a gradient"),
        ("losses *= 1 - label_smoothing", "pass", "label smoothing on top of the loss"),
        ("scale = scale / total", "pass", "sum for mean")],
    ("kernels/numpy/norm.py", "ops/test_fused.py -k layer_norm"): [
        ("np.divide(scale, size, scale)", "np.divide(scale, size - 0.5, scale)", "the unbiased variance"),
        ("np.subtract(g_x, np.divide(by_mean, size, by_mean), g_x)", "pass", "what x does to the mean"),
        ("np.multiply(normed, by_variance, spare)", "0", "what x does to the variance"),
        ("sum_over_rows(np.multiply(g, normed, spare))", "sum_over_rows(g)", "the weight's gradient is the bias's")],
    ("kernels/numpy/optimizer.py", "kernels/test_numpy_kernels.py -k adam"): [
        ("root = sqrt(1 - beta2**step)", "root = 1.0", "Adam's bias correction of v"),
        ("lr * root / (1 - beta1**step)", "lr * root", "Adam's bias correction of m"),
        ("bool(weight_decay) and not decoupled", "bool(weight_decay)", "AdamW's decay in the gradient")],
    ("kernels/numpy/steppers.py", "nn/test_stepper.py"): [
        ("add(f * c, i * g, new_c)", "add(i * c, f * g, new_c)", "gate order")],
    ("nn/stepper.py", "nn/test_stepper.py"): [
        ("state is not None and is_current:", "state is not None:", "steps with stale weights"),
        ("is_called and not own.get(\"_hooks\")", "is_called", "hooks of the layers not called",
         "nn/test_stepper.py -k hooks")],
    ("nn/rnn.py", "nn/test_rnn.py -k dropout_is"): [
        ("if first and self.dropout:", "if self.dropout:", "dropout before the first layer"),
        ("part[i : i + 1]", "part[:1]", "every layer starts from the first one's state",
         "nn/test_rnn.py -k unrolled"),
        ("reverse=i > first", "reverse=False", "both directions forward",
         "nn/test_rnn.py -k two_directions"),
        ("if lengths is None:\n            self._check_not_features(", "if False:\n            self._check_not_features(",
         "one-hot integers read as ids", "nn/test_rnn.py -k one_hot"),
        ("repack(packed, output, self.batch_first)", "repack(packed, output, False)",
         "packed again in another layout", "nn/utils/test_rnn.py")],
    ("nn/recurrent.py", "nn/test_rnn.py -k initial"): [
        ("self._draw_uniform(weights, self.hidden_size)",
         "self._draw_uniform(weights, self.input_size)",
         "initial weights by the wrong size"),
        ("for weights in self._list_weights():", "for weights in [self.parameters()]:",
         "parameters of the user's drawn anew", "nn/test_rnn.py -k user_adds")],
    ("nn/layers/base.py", "nn/test_layers.py"): [
        ("-bound, bound)", "0.0, bound)", "initial weights of one sign")],
    ("nn/layers/dropout.py", "nn/test_layers.py"): [
        ("F.dropout(input, self.p, self.training)", "F.dropout(input, self.p)", "dropout in eval")],
    ("ops/elementwise.py", "nn/test_functional.py -k activations"): [
        ("return xp.where(x < 0, tail, 1.0 - tail)", "return xp.where(x < 0, 1.0 - tail, tail)",
         "the other tail")],
    ("nn/functional/losses.py", "nn/test_losses.py"): [
        ("log_t = ops.where(target == 0.0, 1.0, target).log()", "log_t = target.log()",
         "0 log(0) is a NaN", "nn/test_losses.py -k divergence"),
        ("return losses.sum() / batch", "return losses.mean()", "batchmean is the mean", "nn/test_losses.py -k divergence"),
        ("else weight.sum()\n", "else losses.numel()\n", "a weighted mean by the count")],
    ("nn/functional/layers.py", "nn/test_layers.py"): [
        ("0.0 if p == 1.0 else 1.0 / (1.0 - p)", "1.0", "dropout not scaled"),
        ('check_ids("embedding", "input", input, weight.shape[0])', "pass",
         "ids not range-checked: -1 is the last row")],
    ("nn/functional/classification.py", "nn/test_losses.py"): [
        ("kept = target != ignore_index", "kept = target == target", "ignore_index ignored")],
    ("nn/utils/clip_grad.py", "nn/utils/test_clip_grad.py"): [
        ("return total ** (1.0 / order)", "return total", "clipping by the squared norm"),
        ("if not factor >= 1.0:", "if factor != 1.0:", "small gradients are scaled up"),
        ("grad.version.count += 1", "pass", "a clipped gradient does not count as changed")],
    ("nn/init.py", "nn/test_init.py"): [
        ("= tensor.numel() / len(tensor), tensor.numel() / tensor.shape[1]",
         "= tensor.numel() / tensor.shape[1], tensor.numel() / len(tensor)",
         "fan-out for fan-in"),
        ("q *= np.sign(np.diag(r))", "pass", "some orthogonal matrices preferred")],
    ("nn/module.py", "nn/test_module.py"): [
        ("if not (remove_duplicate and id(tensor) in seen):", "if True:", "tied weights doubled"),
        ("        if _is_data_descriptor(type(self), name):", "        if False:",
         "the setter of a property not called"),
        ("if id(module) not in above:", "if True:",
         "apply() runs in circles"),
        ("zeros_like(parameter) if keep else None", "None",
         "zero_grad(set_to_none=False) forgets the gradients"),
        ("module.training = mode", "self.training = mode", "eval() does not reach the inside")],
    ("nn/hooks.py", "nn/test_hooks.py"): [
        ("if replacement is not None:", "if False:", "what a hook returns is dropped"),
        ("if prepend else max(hooks, default=0)", "if False else max(hooks, default=0)",
         "prepend= ignored")],
    ("nn/parameter.py", "tensor/test_in_place.py"): [
        ("self._init_leaf(array, version)", "self._init_leaf(array)", "a parameter over a tensor counts on its own",
         "tensor/test_in_place.py -k over_a_tensor")],
    ("nn/state_dict.py", "nn/test_module.py"): [
        ("elif not np.array_equal(value, values[first], equal_nan=True):", "elif False:",
         "a tie broken by loading"),
        ("value = value.copy()", "pass", "loaded from itself, swapped")],
    ("nn/containers.py", "nn/test_containers.py"): [
        ("kept.insert(index, module)", "kept.insert(index + 1, module)", "off by one")],
    ("nn/utils/rnn.py", "nn/utils/test_convert_parameters.py"): [
        ("cat([x, rest] if padding_side", "cat([rest, x] if padding_side", "padding in front"),
        ("sequences = self.order[ranks]", "sequences = ranks", "packed in the order of the batch",
         "nn/utils/test_rnn.py"),
        ("unsorted_indices = sorted_indices.argsort()", "unsorted_indices = sorted_indices",
         "an order for its inverse", "nn/utils/test_rnn.py"),
        ("np.argsort(-ends, kind=\"stable\")", "np.argsort(ends, kind=\"stable\")",
         "the shortest first", "nn/utils/test_rnn.py")],
    ("optim/optimizer.py", "optim/test_optimizers.py"): [
        ("if array_ids != self._array_ids:", "if False:", "memory shared after the optimizer was made"),
        ("param.version.count += 1", "pass", "a step does not count as a change"),
        ("xp.array(last.vectors[name])", "last.vectors[name]", "moments change though the step fails"),
        ("if [*map(id, memory.parts)] != [*map(id, batch.params)]:",
         "if len(memory.parts) != len(batch.params):", "moments of another order of parameters"),
        ("if slot_names and slot_names[0] not in memory.vectors:", "if False:",
         "steps counted from before there was a momentum")],
    ("optim/overlap.py", "optim/test_optimizers.py"): [
        ("if end > start]", "if end > stop]", "a parameter inside another is not seen")],
    ("engine/commit.py", "engine/test_commit.py"): [
        ("        deque(map(call, changes), 0)\n    except", "        [c() for c in changes]\n    except",
         "changes one by one, where Ctrl-C comes in between"),
        ("        deque(map(call, changes), 0)\n        raise", "        raise",
         "what another library has half done stays half done"),
        ("        value.version.count += 1\n    return", "        pass\n    return",
         "loading does not count as a change", "nn/test_module.py")],
    ("optim/algorithms.py", "optim/test_optimizers.py"): [
        ("grad if step == 1 else (1.0 - ", "(1.0 - ", "the first velocity dampened"),
        ('(step - 1) * options["lr_decay"]', 'step * options["lr_decay"]', "one step late")],
    ("optim/lr_scheduler.py", "optim/test_lr_scheduler.py"): [
        ("epoch > 0 and epoch % self.step_size == 0",
         "epoch > 1 and (epoch - 1) % self.step_size == 0", "a schedule one step late"),
        ("self.num_bad_epochs > self.patience", "self.num_bad_epochs >= self.patience", "patience off by one"),
        ("self.gamma ** self.milestones.count(epoch)", "self.gamma ** self.milestones.count(epoch - 1)", "a milestone late"),
        ("self.milestones[number - 1] == epoch", "False", "the next schedule does not begin anew"),
        ("[high, low, high, high]", "[low, high, low, low]", "momentum and rate rise together"),
        ("(epoch - 1 - length) % (2 * length) == 0", "epoch - 1 == length", "the second bottom of a cosine"),
        ("epoch > self.total_iters", "epoch >= self.total_iters", "a line that stops short of its end"),
        ("optimizer.param_groups = [dict(group) for group in groups]", "pass", "half a step of what fails"),
        ("self.cooldown_counter - 1", "self.cooldown_counter", "a cooldown that does not end")],
    ("serialization.py", "test_serialization.py"): [
        ("if ours and digest != _digest(data, code, shape):", "if False:", "digests not checked"),
        ("        os.fsync(file.fileno())", "        pass",
         "not flushed to the disk before it is renamed"),
        ("(halves.astype(np.uint32) << 16).view(np.float32)", "halves.astype(np.float32)",
         "the bits of a bfloat16 taken for a number"),
        ('_upgraded(header) if line[1] == "1" else header', "header",
         "arrays of version 1 are not Tensors", "test_save.py"),
        ("rest = rest[len(rest) if written is None else written :]", "break",
         "what an open file did not take at once is lost", "test_save.py")],
    ("tree.py", "test_save.py"): [
        ("if id(value) in self.seen:", "if False:", "an object that is held twice comes back as two"),
        ("if key not in self.names:", "if True:", "shared memory comes back apart"),
        ('view["data"][0], view["shape"], view["strides"], view["typestr"]', 'view["data"][0]',
         "a view taken for its base"),
        ("while part in taken:", "while False:", "two arrays of one name",
         "test_tree.py"),
        ("if len(set(keys)) < len(keys):", "if False:", "a key twice", "test_tree.py"),
        ('[("$same", str(place))] if place in self.made:', '[("$same", str(place))]:', "no such place",
         "test_tree.py"),
        ("if _encoded(value) != node or", "if", "a value that is written in another way", "test_tree.py"),
        ('not any(key.startswith("$") and key[1:2] != "$" for key in node)', "True",
         "a kind of ours taken for a dict", "test_tree.py")],
    ("checkpoint.py", "test_checkpoint.py"): [
        ("value.requires_grad and value.is_leaf", "False", "requires_grad not kept", "test_save.py"),
        ("strange = [place for place, param in enumerate(trained) if id(param) not in held]",
         "strange = []", "an optimizer of another model"),
        ('changes += default_generator._loading(tree["random"])', "pass", "random state not restored"),
        ("if wrong:", "if False:", "loaded though it does not fit"),
        ("changes += part._loading(tree[name])", "part.load_state_dict(tree[name])",
         "half of a checkpoint where memory runs out")],
    ("data/streams.py", "data/test_streams.py"): [
        ("wrap(ids[1:].astype(np.int64))", "wrap(ids[:-1].astype(np.int64))", "y is x itself"),
        ("(len(self.ids) - 1) //", "len(self.ids) //", "a window too many"),
        ("self._drawn = drawn", "pass", "the position not restored"),
        ("first = np.arange(self.batch_size) * len(self) + number",
         "first = np.arange(self.batch_size) + number * self.batch_size", "streams that do not go on"),
        ("first=number == 0", "first=self._drawn == 1", "the second pass does not begin anew"),
        ("self._checksum = crc32(np.ascontiguousarray(self.ids).data)", "self._checksum = 0",
         "a position taken over into another text")],
    ("data/text.py", "data/test_text.py"): [
        ('text.removeprefix("\\ufeff")', "text", "a byte-order mark is learnt"),
        ("sorted(words) if isinstance(given, set | frozenset) else words", "words",
         "words in an order that changes from process to process", "data/test_vocabulary.py")],
    ("data/waves.py", "data/test_waves.py"): [
        ("(4 * np.pi, 2)", "(4 * np.pi, 1)", "frequencies from half of the range")],
    ("utils/data/loader.py", "utils/test_loader.py"): [
        ("if chunk and not drop_last:", "if chunk:", "the last batch not dropped"),
        ("and getitem is TensorDataset.__getitem__:", ":", "a subclass's own samples not asked for"),
        ("self.collate_fn is default_collate:", "True:", "the user's collate_fn not called"),
        ('numpy_generator("DataLoader", self.generator)', 'numpy_generator("DataLoader", None)',
         "the order not from its generator")],
    ("utils/data/datasets.py", "utils/test_loader.py"): [
        ("order = order[size:]", "pass", "two parts with the same samples"),
        ("-count <= index < count", "-count <= index <= count", "an index past the end")],
    ("sampling.py", "test_sampling.py"): [
        ("int(top_k))  #", "int(top_k) + 1)  #", "top_k off by one"),
        ("before = totals[:, :-1]", "before = totals[:, 1:]", "the nucleus stops too early"),
        ("rows /= temperature or 1.0", "rows /= temperature**2 or 1.0", "temperature squared")],
    ("random.py", "test_random.py"): [
        ('[state["has_uint32"], state["uinteger"]]', "[0, 0]", "half a number is not saved"),
        ("source.state = held.bit_generator.state", "pass",
         "a forked child starts its generators anew", "engine/test_fork.py -k goes_on")],
    ("autograd/functional.py", "autograd/test_functional.py"): [
        ("column.reshape(*out.shape, *x.shape)", "column.reshape(*x.shape, *out.shape)", "rows for columns")],
    ("autograd/check.py", "autograd/test_check.py"): [
        ("wrong += _compare_with_composite(node, tolerance)", "pass",
         "a fused op not held against its composite"),
        ("weights.append(draw + draw.sign() * 0.5)", "weights.append(draw * 0.0 + 1.0)",
         "gradcheck with cotangents of 1")],
    ("utils/checkpoint.py", "utils/test_recompute.py"): [
        ("state = now if call.random_state is None else call.random_state", "state = now",
         "dropout draws another mask when run again"),
        ("default_generator.set_state(now)", "pass", "the generator left where it was then"),
        ("if not is_same or not all(map(_equals, again.outputs, call.results)):", "if not is_same:",
         "other values in the second run unnoticed")],
    ("utils/structure.py", "utils/test_structure.py"): [
        ("return None if value is None else value.detach()", "return value", "not detached")],
    ("backend/pool.py", "backend/test_pool.py"): [
        ("self.free[size].pop()", "self.free[size][-1]", "a block handed out that is held")],
    ("backend/threads.py", "backend/test_threads.py"): [
        ("    _sliced.set(True)", "    pass", "a slice is cut again"),
        ("min(threads, rows // 16, multiplications // MIN_WORK)", "min(threads, rows // 16)",
         "threads for work that is not worth one")],
    ("backend/numpy.py", "ops/test_edges.py"): [
        ("(first + np.arange(size))", "(abs(first) + np.arange(size))", "-1 is not the last row"),
        (".astype(np.intp) * size", " * size", "narrow ids wrap around"),
        ("np.add.at(out, index, values)", "out[index] += values", "repeated places counted once",
         "ops/test_rows.py -k 'add_at or getitem'"),
        ("vector.flags.writeable = False", "pass", "what is shared can be written to",
         "backend/test_standard.py")],
    ("backend/standard.py", "backend/test_standard.py"): [
        ('side="right") - 1', 'side="left")', "the first of equal places stays"),
        ("if x.dtype != xp.float64:", "if True:", "the last digits", "ops/test_numbers.py")],
    ("einsum.py", "test_einsum.py"): [
        ('needed = result + "".join(terms[i:])', "needed = result", "letters of later operands summed too early"),
        ("term[i + 1 : j] + term[j + 1 :]", "term[i + 1 : j] + term[j + 1 :][::-1]",
         "letters in another order than the dims")],
    ("tensor/shapes.py", "tensor/test_methods.py"): [
        ("cut = -shift % max(size, 1)", "cut = shift % max(size, 1)", "rolled the other way")],
    ("tensor/reductions.py", "tensor/test_methods.py"): [
        ("max(count - correction, 0.0)", "max(count, 0.0)", "Bessel's correction forgotten"),
        ("return _except_at_zero(self.var(dim, correction, keepdim), ops.sqrt)",
         "return self.var(dim, correction, keepdim).sqrt()", "NaN where nothing varies"),
        ("dim, keepdim)._cast_total(dtype)", "dim, keepdim)", "a sum of int32 in int64"),
        ("step *= 2", "step += 1", "products of too many", "tensor/test_methods.py -k cumprod")],
    ("tensor/operators.py", "tensor/test_methods.py"): [
        ("__array_ufunc__(self", "_array_ufunc_(self", "an array of Tensors, not a Tensor",
         "test_left_out.py -k array_before")],
    ("tensor/ordering.py", "tensor/test_methods.py -k median"): [
        ("(size - 1) // 2, 1)", "size // 2, 1)", "the upper median")],
    ("tensor/selection.py", "tensor/test_methods.py -k 'scatter or diag or index or pytorch'"): [
        ("along, side = np.arange(size), size + down + right",
         "along, side = np.arange(size), size + down", "a matrix too small"),
        ("    return backend_of(array).array(array)", "    return array",
         "an index that the user changes later"),
        ("x + ops.add_at(values", "ops.add_at(values", "added to nothing")],
    ("array_api/statistics.py", "test_array_api.py"): [
        ("(x.unsqueeze(0), 0, False) if axis", "(x, None, keepdims) if axis",
         "reduced along no dims"),
        ("keepdims).to(dtype)", "keepdims)", "a dtype that is not kept")],
    ("array_api/manipulation.py", "test_array_api.py"): [
        ("out.clone() if copy and is_shared else out", "out", "a view for a copy")],
    ("array_api/products.py", "test_array_api.py"): [
        ("axis=axis, dtype=products.dtype", "axis=axis", "a product of bytes in 64 bits")],
    ("errors/left_out.py", "test_left_out.py"): [
        ("ours or row.instead", "row.instead or ours[:0]", "nothing said of an alias"),
        ("instead = table().get(owner, {}).get(name)", "instead = None", "the table not read"),
        ("name in _public_names(module)", "False", "the other modules not looked through")],
    ("tensor/autograd.py", "tensor/test_in_place.py"): [
        ("return wrap(self.array, None, self.version)", "return wrap(self.array)",
         "a detached alias counts its changes for itself"),
        ("g.clone() if tensor.grad is None else tensor.grad + g", "g.clone()",
         "retain_grad assigns", "engine/test_backward.py")],
    ("tensor/in_place.py", "tensor/test_in_place.py"): [
        ("base.array is array else", "True else", "a view reaches memory that it does not show",
         "tensor/test_data.py")],
    ("convert.py", "tensor/test_tensor.py"): [
        ('stacklevel=3)\n    return np.array(host_array(data, dtype, name), order="C")',
         "stacklevel=3)\n    return host_array(data, dtype, name)",
         "tensor() shares what it should copy"),
        ("if _would_lose_history(value):", "if False:",
         "another library takes an array without a word about its gradient", "tensor/test_conversion.py"),
        ("kept and type(array) in backends", "False", "an index of the user's own kept")],
}
# fmt: on


# A string, a name or a number, an operator; blanks, line ends and comments stand between them.
TOKEN = re.compile(
    r"(?P<comment>#[^\n]*)"
    r'|""".*?"""|"(?:\\.|[^"\\\n])*"'
    r"|'(?:\\.|[^'\\\n])*'"
    r"|\w+|->|[-+*/%@&|^<>=!:]=|\*\*|//|<<|>>|[^\s\w]",
    re.DOTALL,
)


@cache
def tokens(source):
    """The tokens of Python, each with where it starts and stops: no layout, no comments."""
    matches = [match for match in TOKEN.finditer(source) if not match["comment"]]
    found = [(match[0], match.start(), match.end()) for match in matches]
    # A comma before a closing bracket comes and goes with the line that it ends.
    following = [text for text, _, _ in found[1:]] + [""]
    pairs = zip(found, following, strict=True)
    return [
        token for token, after in pairs if token[0] != "," or after not in set(")]}")
    ]


class Bug(NamedTuple):
    """A row of the table."""

    file: str
    piece: str
    planted: str
    why: str
    tests: str

    def __str__(self):
        return f"{self.file}: {self.why}"

    def places(self, source):
        """Where the piece stands in the source: spans of characters, whatever the layout."""
        wanted = [text for text, _, _ in tokens(self.piece)]
        given = tokens(source)
        texts = [text for text, _, _ in given]
        size = len(wanted)
        starts = [i for i in range(len(texts)) if texts[i : i + size] == wanted]
        return [(given[i][1], given[i + size - 1][2]) for i in starts]

    def plant(self, source):
        """The source with the bug in it."""
        ((start, stop),) = self.places(source)
        return source[:start] + self.planted.strip() + source[stop:]

    def flaw(self, source):
        """What is wrong with the row itself, given its file's source; "" if nothing is."""
        if (count := len(self.places(source))) != 1:
            return f"STALE: {self.piece!r} occurs {count} times, expected once"
        try:
            compile(self.plant(source), self.file, "exec")
        except SyntaxError as error:
            return f"STALE: what is planted does not compile: {error}"
        return ""


BUGS = [
    Bug(file, *row[:3], row[3] if len(row) > 3 else tests)
    for (file, tests), rows in TABLE.items()
    for row in rows
]


def source_of(bug, root=ROOT):
    return (root / PACKAGE / bug.file).read_text(encoding="utf-8")


def copied(folder):
    """A copy of what the tests need, in an empty folder."""
    leave = shutil.ignore_patterns("__pycache__", ".*")
    for name in (PACKAGE, "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=leave)
    shutil.copy(ROOT / "setup.cfg", folder)
    return folder


def run(folder, *command):
    """Python with that copy of the package in front of all others: its status, and what it says."""
    environment = os.environ | {
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment["HYPOTHESIS_PROFILE"] = (
        "planted"  # the default one, but failures are not shrunk
    )
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder, env=environment, timeout=LIMIT, text=True, encoding="utf-8", errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout


def failing(output):
    return re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", output, re.MULTILINE)


def tried(bug):
    """What became of a bug: "killed" or what else, and the first test that failed."""
    with tempfile.TemporaryDirectory() as name:
        folder = copied(Path(name).resolve())
        source = source_of(bug, folder)
        if flaw := bug.flaw(source):
            return flaw, ""
        planted = bug.plant(source)
        (folder / PACKAGE / bug.file).write_text(planted, encoding="utf-8")
        module = ".".join(Path(PACKAGE, bug.file).with_suffix("").parts).removesuffix(
            ".__init__"
        )
        status, output = run(
            folder,
            "-c",
            f"import sys, {module}; print(sys.modules[{module!r}].__file__)",
        )
        if status or output.strip() != str(folder / PACKAGE / bug.file):
            return f"NOT IMPORTED: {output.strip()[-200:]}", ""
        path, *options = shlex.split(bug.tests)
        try:
            status, output = run(
                folder, "-m", "pytest", "-x", "-q", f"tests/{path}", *options
            )
        except subprocess.TimeoutExpired:
            return "killed", f"no end after {LIMIT:.0f} s"
        if status == 1 and (found := failing(output)):
            return "killed", found[0]
        return ("SURVIVED" if status == 0 else f"NO RUN: {output[-200:]}"), ""


def idle_ones(killers):
    """Those that fail without any bug, so that their failing with one says nothing."""
    if not killers:
        return set()
    with tempfile.TemporaryDirectory() as name:
        folder = copied(Path(name).resolve())
        status, output = run(folder, "-m", "pytest", "-q", *sorted(killers))
    return set(failing(output)) if status in (0, 1) else killers


def main():
    parser = argparse.ArgumentParser(
        description="Plant bugs, and see that the tests notice."
    )
    parser.add_argument("--only", default="", help="rows in which this text stands")
    parser.add_argument("--jobs", type=int, default=1, help="how many rows at a time")
    args = parser.parse_args()
    chosen = [bug for bug in BUGS if args.only in " ".join(bug)]
    begin, found = time.perf_counter(), {}

    def one(bug):
        start = time.perf_counter()
        what, by = found[bug] = tried(bug)
        print(f"{what} in {time.perf_counter() - start:.1f} s  {bug}  {by}", flush=True)

    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(one, chosen))
    idle = idle_ones({by for _, by in found.values() if by.startswith("tests/")})
    killed = [
        bug for bug, (what, by) in found.items() if what == "killed" and by not in idle
    ]
    for bug, (what, by) in found.items():
        if bug not in killed:
            print(f"NOT KILLED: {bug} ({f'{by} fails without it too' if by else what})")
    minutes = (time.perf_counter() - begin) / 60
    print(f"{len(chosen)} planted, {len(killed)} killed, in {minutes:.1f} minutes")
    return int(len(killed) < len(chosen))


if __name__ == "__main__":
    sys.exit(main())
