"""The bugs that `planted.py` plants, by the tests that have to notice them.

Tests are given as pytest takes them, in tests/. A row holds the function or the method
where the bug goes ("" for code outside of functions), a piece of its code, what takes
the place of the piece, why it happens, and sometimes tests of the row's own.
"""

TABLE = {
    "engine/test_walk.py": [
        (
            "Gradients.add",
            "_as_array(run(add, total, g))",
            "_as_array(g)",
            "assignment for accumulation, on the way",
        ),
        (
            "Gradients.add",
            "elif can_add:",
            "elif g.ndim:",
            "a borrowed gradient written in place",
        ),
        ("walk_back", "if not keep:", "if False:", "retain_graph=False does not free"),
        (
            "_store",
            "seam.add_into(leaf._grad.array, g, backend_of(g).on_device(iadd))",
            "leaf._grad.array[...] = g",
            "assignment for accumulation",
        ),
        (
            "Gradients.add",
            "if can_add and g.values",
            "if total is not None and g.values",
            "a part added to a gradient that others hold",
        ),
        (
            "_check_intact",
            "if version.count != count:",
            "if version.count < count:",
            "version counters not compared",
            "tensor/test_in_place.py",
        ),
        (
            "_store",
            "leaf._grad.version.count += 1",
            "pass",
            "a gradient added to does not count as changed",
            "tensor/test_in_place.py",
        ),
        (
            "_unbroadcast",
            "xp.sum(g, axis=tuple(axes))",
            "xp.mean(g, axis=tuple(axes))",
            "broadcasting undone by a mean",
            "ops/test_rows.py -k 'first_gradient and multiply'",
        ),
        (
            "walk_back",
            "if node.hooks and node.number >= since:",
            "if node.hooks:",
            "hooks run twice through a checkpoint",
            "utils/test_checkpoint.py",
        ),
        (
            "walk_back",
            "_run_hooks(node.hooks, g, pending.create), False",
            "_run_hooks(node.hooks, g, pending.create), owned",
            "what a hook gave is added to in place",
        ),
        (
            "walk_back",
            "captured[node] = g, owned",
            "captured[node] = g, True",
            "gradients of two inputs in one memory",
        ),
        (
            "backward",
            "if not _retains_grad(x)",
            "",
            "a retained gradient added twice",
            "autograd/test_backward_of_several.py",
        ),
        (
            "Gradients.__exit__",
            "if error is not None:",
            "if False:",
            "a walk that failed is not told of",
            "autograd/test_backward_of_several.py",
        ),
    ],
    "tensor/test_in_place.py": [
        (
            "Plan.saved_as_tensors",
            "wrap(saved[i], node, version)",
            "wrap(saved[i], node)",
            "an output changed after a recorded gradient",
            "tensor/test_in_place.py -k second_walk",
        ),
        (
            "version_of",
            "return arg.version, arg.version.count",
            "return UNCHANGING",
            "versions of what is saved not remembered",
        ),
        (
            "unwrap_arguments",
            "if arg.view_version is not None:",
            "if False:",
            "a view that is out of date not checked",
        ),
        (
            "_array_or_number",
            "arg.item() if isinstance(arg, np.generic) else arg",
            "arg",
            "NumPy scalars turn all float64",
            "ops/test_rows.py -k scalars_are_weak",
        ),
        (
            "_array_or_number",
            "isinstance(data, number_types) or _is_array_of_numbers(data)",
            "not isinstance(data, list | str)",
            "None and complex numbers let in",
            "test_errors.py -k logical",
        ),
        (
            "wrap_view",
            "wrap(data, None, base.version,",
            "wrap(data, None, Version(),",
            "a view counts for itself",
        ),
        (
            "assign",
            "count_change(target.version, name)\n    if recorded",
            "if recorded",
            "the version counter not bumped",
        ),
        (
            "last_change",
            "name if count == version.count else None",
            "name",
            "an old assignment by index is blamed for an optimizer's step",
        ),
        (
            "replace_array",
            "target.version.count += 1\n    target.array,",
            "target.array,",
            "an assignment of .data not counted",
            "tensor/test_autograd.py",
        ),
        (
            "replace_array",
            "target.array, target.version = array, version",
            "target.array = array",
            "changes through what was assigned as .data not counted",
            "tensor/test_autograd.py",
        ),
        (
            "replace_array",
            "reshaped[id(target)] = next_number()",
            "pass",
            "gradients of the old shape for a leaf of another one",
            "tensor/test_autograd.py",
        ),
        (
            "set_node",
            "hooks and RETAIN in hooks",
            "False",
            "a retained gradient is that of the old value",
            "engine/test_node.py -k retain",
        ),
        (
            "assign",
            "target.version.recorded_count += 1",
            "pass",
            "views stay valid after a recorded change",
        ),
        (
            "Parameter.__init__",
            "self._init_leaf(array, version)",
            "self._init_leaf(array)",
            "a parameter over a tensor counts on its own",
            "tensor/test_in_place.py -k over_a_tensor",
        ),
        (
            "Autograd.detach",
            "return wrap(self.array, None, self.version)",
            "return wrap(self.array)",
            "a detached alias counts its changes for itself",
        ),
        (
            "Autograd.retain_grad",
            "g.clone() if old is None else old + g",
            "g.clone()",
            "retain_grad assigns",
            "engine/test_walk.py",
        ),
        (
            "InPlace._viewed_tensor",
            "base.array is array else",
            "True else",
            "a view reaches memory that it does not show",
            "tensor/test_autograd.py",
        ),
    ],
    "engine/test_mode.py": [
        (
            "_leave",
            "in reversed(later):",
            "in later:",
            "blocks that end out of order are turned round",
        ),
        (
            "_Mode.__exit__",
            "_leave(self)",
            "error[0] or _leave(self)",
            "no_grad not restored after an exception",
        ),
        ("_leave", "other is block", "True", "blocks left in another order"),
        (
            "set_grad_enabled._undo_call",
            "_called.set(None)",
            "pass",
            "a set_grad_enabled goes back to its making for ever",
        ),
    ],
    "engine/test_arguments.py": [
        (
            "Signature.bind",
            "self.default_arrays[len(args) - count :]",
            "self.default_arrays[: count - len(args)]",
            "an array that is left out has another one's default",
        )
    ],
    "engine/test_op.py": [
        (
            "_CallSignature.__get__",
            "return op.signature.of_a_call()",
            "return None",
            "help() of an op does not say what it takes",
        )
    ],
    "engine/test_fused.py": [
        (
            "FusedPlan.pull_recorded",
            "parents.get(i), node.versions[i])",
            "parents.get(i), (type(node.versions[i][0])(), 0))",
            "arguments of a recorded gradient unwatched",
            "tensor/test_in_place.py -k second_walk",
        ),
        (
            "FusedPlan.pull",
            "tuple([i in indices for i in range(len(call.inputs))])",
            "self.needs",
            "gradients computed that nobody asked for",
            "autograd",
        ),
        (
            "FusedOp._record",
            "versions += [version_of(out) for out in outputs]",
            "pass",
            "an output that the backward reads may change unnoticed",
        ),
        (
            "FusedOp._record",
            "keeps(saved.workspace, arrays)",
            "False",
            "an output that a workspace keeps may change unnoticed",
        ),
    ],
    "engine/test_custom.py": [
        (
            "shares_memory",
            "return np.may_share_memory(out, array)",
            "return False",
            "a custom op's view of its argument unnoticed",
        ),
        (
            "OutputsGuard.__call__",
            "xp.array(out) if shared else out",
            "out",
            "two outputs in one memory",
        ),
        (
            "Guard.__init__",
            "1 if view else 0",
            "len(names) if view else 0",
            "a view may show any argument",
        ),
        (
            "Guard._run",
            "not equal_with_nan(xp, old, new)",
            "False",
            "a forward that writes into its argument unnoticed",
        ),
    ],
    "engine/test_warned.py": [
        (
            "run_reporting_warnings",
            "if not was_warning(error):\n            raise\n    return",
            "raise\n    return",
            "warnings of a step are errors",
        ),
        (
            "rerun_with_warnings",
            "for kind in kinds:",
            "for kind in ():",
            "warnings are lost",
        ),
        (
            "warn_user",
            "frame = frame.f_back",
            "break",
            "warnings point into the package",
        ),
        (
            "rerun_with_warnings",
            '"call" if how == "warn" else how',
            '"call"',
            "the user's errstate not kept",
        ),
        (
            "rerun_with_warnings",
            "_give_registry(error)",
            "pass",
            "a warning of another kind is an error",
        ),
    ],
    "engine/test_anomaly.py": [
        (
            "_close_blocks_of_other_threads",
            "and observer.thread != get_ident():",
            "and False:",
            "a forked child looks for anomalies as its parent's threads do",
            "engine/test_fork.py -k anomaly",
        ),
        (
            "_flaw",
            "xp.all(xp.isfinite(array))",
            "not xp.any(xp.isnan(array))",
            "infinities overlooked",
        ),
    ],
    "ops/test_kinks.py": [
        (
            "",
            "xp.where(out <= 0, 0.0, g)",
            "xp.where(out < 0, 0.0, g)",
            "a slope of 1 at the kink",
        ),
        (
            "",
            "xp.where(x == y, g * 0.5, xp.where(x < y",
            "xp.where(x == y, g, xp.where(x < y",
            "a tie counted twice",
        ),
        (
            "",
            "lambda g, y: g * y, lambda g, x: g * x)",
            "lambda g, y: g * y, lambda g, x: g * g * x)",
            "g * g for g: right for a cotangent of 1",
            "ops/test_rows.py -k 'first_gradient and multiply'",
        ),
        (
            "",
            "subtract.vjp(lambda g: g, lambda g: -g)",
            "subtract.vjp(lambda g: g, lambda g: g)",
            "a sign turned",
            "ops/test_rows.py -k 'first_gradient and subtract'",
        ),
        (
            "",
            "-g * (x / y) / y)",
            "-g * (x / y))",
            "a term dropped",
            "ops/test_rows.py -k 'first_gradient and divide'",
        ),
        (
            "softplus",
            "xp.maximum(x, xp.zeros_like(x)) + xp.log1p(xp.exp(-xp.abs(x)))",
            "xp.log1p(xp.exp(x))",
            "overflow: not shifted by the maximum",
            "ops/test_numbers.py",
        ),
    ],
    "ops/test_rows.py -k 'first_gradient and mean'": [
        ("_spread_mean", "_spread(g / count,", "_spread(g,", "sum for mean"),
        (
            "",
            "out * (g - xp.sum(g * out, axis=axis, keepdims=True))",
            "out * g * (1 - out)",
            "softmax taken for elementwise",
            "ops/test_rows.py -k 'first_gradient and softmax'",
        ),
        (
            "_sum_from_end",
            "xp.flip(xp.cumulative_sum(xp.flip(g, axis=axis), axis=axis), axis=axis)",
            "xp.cumulative_sum(g, axis=axis)",
            "not summed from the end",
            "ops/test_rows.py -k 'first_gradient and cumulative'",
        ),
    ],
    "ops/test_rows.py -k 'first_gradient and permute'": [
        ("", "_inverse(tuple(axes))", "tuple(axes)", "a permutation for its inverse"),
        (
            "_split",
            "slice(*part), ...)",
            "slice(0, part[1] - part[0]), ...)",
            "each part takes the first",
            "ops/test_rows.py -k 'first_gradient and concat'",
        ),
    ],
    "ops/test_rows.py -k 'first_gradient and put'": [
        (
            "",
            "put.vjp(lambda g, index, xp: xp.put(g, 0.0, index),",
            "put.vjp(lambda g: g,",
            "what was overwritten keeps its gradient",
        )
    ],
    "ops/test_rows.py -k 'first_gradient and matmul'": [
        (
            "",
            "lambda g, y, xp: xp.matmul(g, xp.matrix_transpose(y))",
            "lambda g, y, xp: xp.matmul(xp.matrix_transpose(g), y)",
            "the wrong operand transposed",
        ),
        (
            "linear_backward",
            "g_bias = sum_over_rows(g)",
            "g_bias = sum_over_rows(g) / len(g)",
            "mean for sum",
            "ops/test_fused.py -k linear",
        ),
    ],
    "ops/test_loss.py -k mse": [
        ("", "lambda g, x, y: (y - x) *", "lambda g, x, y: (x - y) *", "a sign turned")
    ],
    "ops/test_fused.py -k 'fused_equals and (lstm or gru)'": [
        (
            "lstm_step",
            "i, f, g, o = split_gates(",
            "f, i, g, o = split_gates(",
            "gate order",
        ),
        (
            "gru_step",
            "tanh(z_n + r * n)",
            "tanh(r * (z_n + n))",
            "reset acts on the input too",
        ),
        (
            "gru_step",
            "n + u * (h - n)",
            "h + u * (n - h)",
            "the update gate the other way round",
        ),
    ],
    "kernels/numpy/test_scan.py": [
        (
            "rnn_forward",
            "scan.add_biases(b_ih, b_hh)",
            "scan.add_biases(b_ih, b_ih)",
            "a bias twice",
        ),
        (
            "rnn_forward",
            "before[-1 if reverse else 0]",
            "before[0]",
            "reverse direction forgotten",
        ),
        (
            "rnn_backward",
            "multiply(after, after, g_sums)",
            "multiply(before, before, g_sums)",
            "the step before",
        ),
        (
            "rnn_backward",
            "copyto(spare, g_h, where=over)",
            "pass",
            "gradient does not wait in the padding",
        ),
        (
            "_slopes",
            "tanh(c_after, slopes_c)",
            "tanh(c_before, slopes_c)",
            "the step before",
        ),
        (
            "lstm_backward",
            "multiply(g_c, f, spare_c)",
            "copyto(spare_c, g_c)",
            "the forget gate dropped",
        ),
        (
            "lstm_backward",
            "scan.clear_padding(padding, g_states)",
            "pass",
            "W_hr's gradient counts the padding",
        ),
        (
            "gru_backward",
            "add(spare, direct, spare)\n        if over is not None:",
            "if over is not None:",
            "the straight way from h to h' dropped",
        ),
        (
            "find_padding",
            "[:, None, None] >= lengths",
            "[:, None, None] > lengths",
            "lengths off by one",
        ),
        (
            "add_biases",
            "if b_ih is None:\n        return b_hh",
            "if b_ih is None:\n        return None",
            "one bias without the other dropped",
        ),
        (
            "state_cotangents",
            "g_state[...] = 0 if g_last is None else g_last",
            "g_state[...] = 0",
            "the last state's gradient dropped",
        ),
        (
            "layer_gradients",
            "g_bias.copy() if",
            "g_bias if",
            "two gradients in one memory",
        ),
        (
            "_add_up",
            "total += other",
            "total[...] = other",
            "the last slice's gradient alone",
        ),
        (
            "_join_batch",
            "np.concatenate(parts, 1,",
            "np.concatenate(parts[::-1], 1,",
            "slices joined in wrong order",
        ),
    ],
    "kernels/numpy/test_embedding.py": [
        (
            "embedding_backward",
            "add_rows(table, ids, g)",
            "table[ids] += g",
            "repeated ids counted once",
        ),
        (
            "embedding_backward",
            "if not transposed:",
            "if True:",
            "the table's layout not asked for",
        ),
        (
            "_sum_segments",
            "table[v])\n            start = stop",
            "table[v])\n            start += 1",
            "segments that overlap",
        ),
    ],
    "kernels/numpy/test_loss.py": [
        ("_weigh_rows", "rows[ignored] = 0", "pass", "ignore_index counts in the mean"),
        (
            "cross_entropy_backward",
            "g[ignored] = 0",
            "pass",
            "an ignored row gets a gradient",
        ),
        (
            "cross_entropy_forward",
            "losses *= 1 - label_smoothing",
            "pass",
            "label smoothing on top of the loss",
        ),
        ("cross_entropy_backward", "scale = scale / total", "pass", "sum for mean"),
    ],
    "kernels/numpy/test_norm.py": [
        (
            "layer_norm_forward",
            "scale /= size\n    scale += eps",
            "scale /= size - 0.5\n    scale += eps",
            "the unbiased variance",
        ),
        (
            "layer_norm_backward",
            "g_x -= through_mean\n        through_variance /= size",
            "through_variance /= size",
            "what x does to the mean",
        ),
        (
            "layer_norm_backward",
            "g_x -= np.multiply(normed, through_variance, spare)",
            "pass",
            "what x does to the variance",
        ),
        (
            "layer_norm_backward",
            "sum_over_rows(np.multiply(g, normed, spare))",
            "sum_over_rows(g)",
            "the weight's gradient is the bias's",
        ),
    ],
    "kernels/numpy/test_optimizer.py": [
        (
            "adam_step",
            "root = sqrt(1 - beta2**step)",
            "root = 1.0",
            "Adam's bias correction of v",
        ),
        (
            "adam_step",
            "lr * root / (1 - beta1**step)",
            "lr * root",
            "Adam's bias correction of m",
        ),
        (
            "adam_step",
            "bool(weight_decay) and not decoupled",
            "bool(weight_decay)",
            "AdamW's decay in the gradient",
        ),
    ],
    "nn/test_stepper.py": [
        (
            "Stepper.__call__",
            "except GraphError:",
            "except KeyError:",
            "a step that cannot be captured raises",
            "nn/test_stepper.py -k hooks",
        ),
        (
            "Stepper.__call__",
            "_without_graph(input), _without_graph(state)",
            "input, state",
            "a state with a graph is not compiled",
            "nn/test_stepper.py -k graph",
        ),
    ],
    "nn/test_rnn.py -k dropout_is": [
        (
            "RNNBase._run_layers",
            "if first and self.dropout:",
            "if self.dropout:",
            "dropout before the first layer",
        ),
        (
            "RNNBase._run_layers",
            "part[i : i + 1]",
            "part[:1]",
            "every layer starts from the first one's state",
            "nn/test_rnn.py -k unrolled",
        ),
        (
            "RNNBase._run_layers",
            "reverse=i > first",
            "reverse=False",
            "both directions forward",
            "nn/test_rnn.py -k two_directions",
        ),
        (
            "RNNBase._run",
            "if lengths is None:\n            self._check_not_features(",
            "if False:\n            self._check_not_features(",
            "one-hot integers read as ids",
            "nn/test_recurrent.py -k one_hot",
        ),
        (
            "RNNBase._run_packed",
            "repack(packed, output, self.batch_first)",
            "repack(packed, output, False)",
            "packed again in another layout",
            "nn/utils/test_rnn.py",
        ),
    ],
    "nn/test_recurrent.py -k initial": [
        (
            "Recurrent.reset_parameters",
            "self._draw_uniform(weights, self.hidden_size)",
            "self._draw_uniform(weights, self.input_size)",
            "initial weights by the wrong size",
        ),
        (
            "Recurrent.reset_parameters",
            "for weights in self._list_weights():",
            "for weights in [self.parameters()]:",
            "parameters of the user's drawn anew",
            "nn/test_recurrent.py -k user_adds",
        ),
        (
            "Recurrent._list_weights",
            "weight is not None and weight.shape != shape",
            "False",
            "a weight of another shape is broadcast, or fails without its name",
            "nn/test_recurrent.py -k another_shape",
        ),
    ],
    "nn/layers/test_linear.py": [
        (
            "Layer._draw_uniform",
            "-bound, bound)",
            "0.0, bound)",
            "initial weights of one sign",
        )
    ],
    "nn/layers/test_dropout.py": [
        (
            "Dropout.forward",
            "F.dropout(input, self.p, self.training)",
            "F.dropout(input, self.p)",
            "dropout in eval",
        ),
        (
            "_dropout_factors",
            "0.0 if p == 1.0 else 1.0 / (1.0 - p)",
            "1.0",
            "dropout not scaled",
        ),
    ],
    "nn/layers/test_embedding.py": [
        (
            "embedding",
            'check_ids("embedding", "input", input, weight.shape[0])',
            "pass",
            "ids not range-checked: -1 is the last row",
        )
    ],
    "nn/functional/test_activations.py -k activations": [
        (
            "normal_cdf",
            "return xp.where(x < 0, tail, 1.0 - tail)",
            "return xp.where(x < 0, 1.0 - tail, tail)",
            "the other tail",
        )
    ],
    "nn/functional/test_losses.py": [
        (
            "kl_div",
            "log_t = ops.where(target == 0.0, 1.0, target).log()",
            "log_t = target.log()",
            "0 log(0) is a NaN",
        ),
        (
            "kl_div",
            "return losses.sum() / batch",
            "return losses.mean()",
            "batchmean is the mean",
        ),
    ],
    "nn/functional/test_classification.py": [
        (
            "reduce_losses",
            "else weight.sum()",
            "else losses.numel()",
            "a weighted mean by the count",
        ),
        (
            "_weigh_targets",
            "counts = target != ignore_index",
            "counts = target == target",
            "ignore_index ignored",
        ),
    ],
    "backend/test_pending.py": [
        (
            "ErrorRecord.number_of",
            "self._may_hold_error = True",
            "pass",
            "an error that a GPU found is never looked at",
        ),
        (
            "ErrorRecord.look",
            "self.memory[...] = 0",
            "pass",
            "an error that a GPU found is raised again and again",
        ),
    ],
    "backend/test_ranges.py": [
        (
            "assign",
            "ranges.forget_range(x)",
            "pass",
            "ids that were changed on a GPU are taken for those from the host",
        )
    ],
    "kernels/cupy/test_optimizer.py": [
        (
            "_explain_by_array",
            "bisect(ends, place)",
            "place",
            "another parameter named for a gradient that is not finite",
        )
    ],
    "nn/utils/test_clip_grad.py": [
        (
            "_norm",
            "return total ** (1.0 / order)",
            "return total",
            "clipping by the squared norm",
        ),
        (
            "_clip",
            "not factor >= 1.0",
            "factor != 1.0",
            "small gradients are scaled up",
        ),
        (
            "clip_grad_norm_",
            "grad.version.count += 1",
            "pass",
            "a clipped gradient does not count as changed",
        ),
    ],
    "nn/test_init.py": [
        (
            "_scaled_std",
            "= tensor.numel() / len(tensor), tensor.numel() / tensor.shape[1]",
            "= tensor.numel() / tensor.shape[1], tensor.numel() / len(tensor)",
            "fan-out for fan-in",
        ),
        (
            "orthogonal_",
            "q *= np.sign(np.diag(r))",
            "pass",
            "some orthogonal matrices preferred",
        ),
    ],
    "nn/test_module.py": [
        (
            "Module._named_tensors",
            "if not (remove_duplicate and id(tensor) in seen):",
            "if True:",
            "tied weights doubled",
        ),
        (
            "Module.__setattr__",
            "if descriptor is not None and isdatadescriptor(descriptor):",
            "if False:",
            "the setter of a property not called",
        ),
        (
            "Module._apply_inside",
            "if id(module) not in above:",
            "if True:",
            "apply() runs in circles",
        ),
        (
            "Module.zero_grad",
            "zeros_like(parameter) if keep else None",
            "None",
            "zero_grad(set_to_none=False) forgets the gradients",
        ),
        (
            "Module.train",
            "module.training = mode",
            "self.training = mode",
            "eval() does not reach the inside",
        ),
    ],
    "nn/test_state_dict.py": [
        (
            "_unfit_values",
            "elif not np.array_equal(value, values[first], equal_nan=True):",
            "elif False:",
            "a tie broken by loading",
        ),
        (
            "loading_changes",
            "value = value.copy()",
            "pass",
            "loaded from itself, swapped",
        ),
    ],
    "nn/test_hooks.py": [
        (
            "call_with_hooks",
            "if replacement is not None:",
            "if False:",
            "what a hook returns is dropped",
        ),
        (
            "add_hook",
            "if prepend else max(hooks, default=0)",
            "if False else max(hooks, default=0)",
            "prepend= ignored",
        ),
    ],
    "nn/test_containers.py": [
        (
            "_List.insert",
            "items.insert(index, module)",
            "items.insert(index + 1, module)",
            "off by one",
        )
    ],
    "nn/utils/test_rnn.py": [
        (
            "pad_sequence",
            'padding_side == "left"',
            'padding_side == "right"',
            "padding in front",
        ),
        (
            "pad_sequence",
            "- first[sequences]",
            "",
            "steps counted from the start of the batch",
        ),
        (
            "_Layout.rows",
            "sequences = self.order[ranks]",
            "sequences = ranks",
            "packed in the order of the batch",
        ),
        (
            "PackedSequence.__new__",
            "unsorted_indices = sorted_indices.argsort()",
            "unsorted_indices = sorted_indices",
            "an order for its inverse",
        ),
        (
            "pack_padded_sequence",
            'np.argsort(-ends, kind="stable")',
            'np.argsort(ends, kind="stable")',
            "the shortest first",
        ),
    ],
    "optim/test_optimizer.py": [
        (
            "Optimizer._check_overlap",
            "if array_ids == self._array_ids:",
            "if self._array_ids:",
            "memory shared after the optimizer was made",
            "optim/test_overlap.py",
        ),
        (
            "Optimizer._step",
            "param.version.count += 1",
            "pass",
            "a step does not count as a change",
        ),
        (
            "Optimizer._step_on_copies",
            "xp.array(vector)",
            "vector",
            "moments change though the step fails",
        ),
        (
            "last_memory",
            "[*map(id, last.parts)] == [*map(id, params)]",
            "len(last.parts) == len(params)",
            "moments of another order of parameters",
        ),
        (
            "key_of",
            "if slot_names and slot_names[0] not in memory.vectors:",
            "if False:",
            "steps counted from before there was a momentum",
            "optim/test_algorithms.py",
        ),
    ],
    "optim/test_overlap.py": [
        (
            "_overlap_in_ranges",
            "if end > start]",
            "if end > stop]",
            "a parameter inside another is not seen",
        )
    ],
    "optim/test_algorithms.py": [
        (
            "SGD.update",
            "grad if step == 1 else (1.0 -",
            "(1.0 -",
            "the first velocity dampened",
        ),
        (
            "Adagrad.update",
            '(step - 1) * options["lr_decay"]',
            'step * options["lr_decay"]',
            "one step late",
        ),
    ],
    "engine/test_commit.py": [
        (
            "commit",
            "deque(map(call, changes), 0)\n    except",
            "[c() for c in changes]\n    except",
            "changes one by one, where Ctrl-C comes in between",
        ),
        (
            "commit",
            "deque(map(call, changes), 0)\n        raise",
            "raise",
            "what another library has half done stays half done",
        ),
        (
            "prepare_writes",
            "value.version.count += 1\n    return",
            "pass\n    return",
            "loading does not count as a change",
            "nn/test_state_dict.py",
        ),
    ],
    "optim/lr_scheduler/test_base.py": [
        (
            "LRScheduler._all_or_nothing",
            "commit(undo)",
            "pass",
            "half a step of what fails",
            "optim/lr_scheduler/test_sequential.py",
        ),
        ("LRScheduler._all_or_nothing", "dict(held)", "held", "nothing to go back to"),
        (
            "LRScheduler._extend_base_lrs",
            "rates[len(self.base_lrs) :]",
            "[]",
            "a group that joins is left out",
        ),
        (
            "LRScheduler._extend_base_lrs",
            "None if resumed else",
            "",
            "resumed without the first rates",
        ),
        ("LRScheduler.state_dict", "copy(v)", "v", "a state that goes on changing"),
    ],
    "optim/lr_scheduler/test_decay.py": [
        (
            "StepLR.factor_at",
            "epoch > 0 and epoch % self.step_size == 0",
            "epoch > 1 and (epoch - 1) % self.step_size == 0",
            "a schedule one step late",
        ),
        (
            "MultiStepLR.factor_at",
            "count(epoch)",
            "count(epoch - 1)",
            "a milestone late",
        ),
        (
            "LinearLR.factor_at",
            "epoch > self.total_iters",
            "epoch >= self.total_iters",
            "a line that stops short of its end",
        ),
    ],
    "optim/lr_scheduler/test_cyclic.py": [
        (
            "OneCycleLR._advance",
            "[high, low, high, high]",
            "[low, high, low, low]",
            "momentum and rate rise together",
        ),
        (
            "CosineAnnealingLR.lrs_at",
            "(epoch - 1 - length) % (2 * length) == 0",
            "epoch - 1 == length",
            "the second bottom of a cosine",
        ),
        (
            "OneCycleLR._value_at",
            "[2 * rise - 2]",
            "[2 * rise]",
            "a second phase that is longer than the first",
        ),
    ],
    "optim/lr_scheduler/test_sequential.py": [
        (
            "SequentialLR._advance",
            "if epoch in self.milestones",
            "if False",
            "the next schedule does not begin anew",
        ),
        (
            "SequentialLR._all",
            "[self, *chain.from_iterable(parts)]",
            "[self]",
            "parts keep half a step of what fails",
        ),
        (
            "SequentialLR._scheduler_at",
            "start <= epoch",
            "start < epoch",
            "the next schedule one epoch late",
        ),
    ],
    "optim/lr_scheduler/test_plateau.py": [
        (
            "ReduceLROnPlateau._count",
            "self.num_bad_epochs > self.patience",
            "self.num_bad_epochs >= self.patience",
            "patience off by one",
        ),
        (
            "ReduceLROnPlateau._count",
            "self.cooldown_counter - 1",
            "self.cooldown_counter",
            "a cooldown that does not end",
        ),
        (
            "ReduceLROnPlateau._count",
            "better or self.cooldown_counter",
            "better",
            "epochs of a cooldown count as bad",
        ),
    ],
    "test_serialization.py": [
        (
            "_parse",
            "if ours and digest != _digest([data], code, shape):",
            "if False:",
            "digests not checked",
        ),
        (
            "_replace",
            "os.fsync(file.fileno())",
            "pass",
            "not flushed to the disk before it is renamed",
        ),
        (
            "_array_of",
            "(halves.astype(np.uint32) << 16).view(np.float32)",
            "halves.astype(np.float32)",
            "the bits of a bfloat16 taken for a number",
        ),
        (
            "_read_metadata",
            '_upgrade(header) if line[1] == "1" else header',
            "header",
            "arrays of version 1 are not Tensors",
            "test_saving.py",
        ),
        (
            "_write_into",
            "rest = rest[len(rest) if written is None else written :]",
            "break",
            "what an open file did not take at once is lost",
            "test_saving.py",
        ),
    ],
    "test_saving.py": [
        (
            "_Writer.convert",
            "if id(value) in self.seen:",
            "if False:",
            "an object that is held twice comes back as two",
        ),
        (
            "_Writer._name_of",
            "if key not in self.names:",
            "if True:",
            "shared memory comes back apart",
        ),
        (
            "_view_of",
            'view["data"][0], view["shape"], view["strides"], view["typestr"]',
            'view["data"][0]',
            "a view taken for its base",
        ),
        (
            "_parts_of",
            "while part in taken:",
            "while False:",
            "two arrays of one name",
            "test_tree.py",
        ),
        (
            "_Reader._convert_dict",
            "if len(set(keys)) < len(keys):",
            "if False:",
            "a key twice",
            "test_tree.py",
        ),
        (
            "_Reader._convert_kind",
            '[("$same", str(path))] if path in self.made:',
            '[("$same", str(path))]:',
            "no such place",
            "test_tree.py",
        ),
        (
            "_decode",
            "if _encode(value) != node or",
            "if",
            "a value that is written in another way",
            "test_tree.py",
        ),
        (
            "_is_dict",
            'not any(key.startswith("$") and key[1:2] != "$" for key in node)',
            "True",
            "a kind of ours taken for a dict",
            "test_tree.py",
        ),
    ],
    "test_checkpoints.py": [
        (
            "_Writer._convert_object",
            "value.requires_grad and value.is_leaf",
            "False",
            "requires_grad not kept",
            "test_saving.py",
        ),
        (
            "_check_trained",
            "[i for i, param in enumerate(trained) if id(param) not in held]",
            "[]",
            "an optimizer of another model",
        ),
        (
            "load_checkpoint",
            'changes += default_generator._loading(tree["random"])',
            "pass",
            "random state not restored",
        ),
        (
            "load_checkpoint",
            "wrong := _misfits(given, tree)",
            "wrong := []",
            "loaded though it does not fit",
        ),
        (
            "load_checkpoint",
            "changes += part._loading(tree[name])",
            "part.load_state_dict(tree[name])",
            "half of a checkpoint where memory runs out",
        ),
    ],
    "data/test_streams.py": [
        (
            "TextStreams._window",
            "wrap(ids[1:].astype(np.int64))",
            "wrap(ids[:-1].astype(np.int64))",
            "y is x itself",
        ),
        (
            "TextStreams.__len__",
            "(len(self.ids) - 1) //",
            "len(self.ids) //",
            "a window too many",
        ),
        (
            "TextStreams.load_state_dict",
            "self._drawn = drawn",
            "pass",
            "the position not restored",
        ),
        (
            "TextStreams._window",
            "first = streams * len(self) + number",
            "first = streams + number * self._total",
            "streams that do not go on",
        ),
        (
            "TextStreams.next_batch",
            "first=number == 0",
            "first=self._drawn == 1",
            "the second pass does not begin anew",
        ),
        (
            "TextStreams._crc32",
            "self._checksum = crc32(block.data, self._checksum)",
            "pass",
            "a position taken over into another text",
        ),
    ],
    "data/test_encoded.py": [
        (
            "_Source._texts",
            'decoder.decode(b"", final=True)',
            '""',
            "a character that is cut at the end is left out",
        ),
        (
            "_status_of",
            "max(times) > time.time_ns() - _YOUNG",
            "False",
            "a change within a tick of the clock is not noticed",
        ),
        (
            "_keep_status",
            "source.status is not None",
            "False",
            "a text that was young once is read for ever",
        ),
        (
            "replace_header",
            "len(text) <= start",
            "True",
            "a header that is written over the vector",
        ),
        (
            "_ids_of_words",
            "text[-1].isspace()",
            "True",
            "words are cut where blocks end",
        ),
        (
            "_look_up",
            "start += len(ids)",
            "pass",
            "positions are counted from the start of a block",
        ),
        (
            "encode_file",
            'if found and found["sha256"] == source.sha256:',
            "if found:",
            "a text that has changed is not encoded again",
        ),
        (
            "_Source.ids",
            "if self.sha256 != sha256:",
            "if False:",
            "ids of a text that changed while it was read",
        ),
        (
            "save_blocks",
            "            _CODES[dtype],\n",
            '            "U8",\n',
            "a digest that other readers do not accept",
        ),
        (
            "_read_start",
            "or size != os.fstat(file.fileno()).st_size",
            "or False",
            "a file that is cut short is read",
        ),
    ],
    "data/test_text.py": [
        (
            "read_text",
            'text.removeprefix("\\ufeff")',
            "text",
            "a byte-order mark is learnt",
        ),
        (
            "words_of",
            "sorted(words) if isinstance(given, set | frozenset) else words",
            "words",
            "words in an order that changes from process to process",
            "data/test_vocabulary.py",
        ),
    ],
    "data/test_waves.py": [
        (
            "sine_waves",
            "(4 * np.pi, 2)",
            "(4 * np.pi, 1)",
            "frequencies from half of the range",
        )
    ],
    "utils/data": [
        (
            "_chunks",
            "if len(chunk) == size or not drop_last:",
            "if True:",
            "the last batch not dropped",
        ),
        (
            "_rows_at_once",
            'is TensorDataset.__getitem__:\n        check_index("TensorDataset"',
            'is not None:\n        check_index("TensorDataset"',
            "a subclass's own samples not asked for",
        ),
        (
            "DataLoader._batch",
            "self.collate_fn is default_collate:",
            "True:",
            "the user's collate_fn not called",
        ),
        (
            "DataLoader._order",
            'numpy_generator("DataLoader", self.generator)',
            'numpy_generator("DataLoader", None)',
            "the order not from its generator",
        ),
        (
            "random_split",
            "order[end - size : end]",
            "order[:size]",
            "two parts with the same samples",
        ),
        (
            "check_index",
            "-count <= index < count",
            "-count <= index <= count",
            "an index past the end",
        ),
    ],
    "test_sampling.py": [
        ("_categorical", "int(top_k))", "int(top_k) + 1)", "top_k off by one"),
        (
            "_keep_top_p",
            "before = totals[:, :-1]",
            "before = totals[:, 1:]",
            "the nucleus stops too early",
        ),
        (
            "_categorical",
            "rows /= temperature or 1.0",
            "rows /= temperature**2 or 1.0",
            "temperature squared",
        ),
    ],
    "test_random.py": [
        (
            "Generator.get_state",
            '[state["has_uint32"], state["uinteger"]]',
            "[0, 0]",
            "half a number is not saved",
        ),
        (
            "Generator._renew",
            "source.state = held.bit_generator.state",
            "pass",
            "a forked child starts its generators anew",
            "engine/test_fork.py -k goes_on",
        ),
    ],
    "autograd/test_functional.py": [
        (
            "jacobian",
            "column.reshape(*out.shape, *x.shape)",
            "column.reshape(*x.shape, *out.shape)",
            "rows for columns",
        )
    ],
    "autograd/test_check.py": [
        (
            "_check_gradients",
            "wrong += _compare_with_composite(node, tolerance)",
            "pass",
            "a fused op not held against its composite",
        ),
        (
            "_random_weights",
            "weights.append(draw + draw.sign() * 0.5)",
            "weights.append(draw * 0.0 + 1.0)",
            "gradcheck with cotangents of 1",
        ),
    ],
    "utils/test_checkpoint.py": [
        (
            "_Recomputation.pull",
            "state = now if call.random_state is None else call.random_state",
            "state = now",
            "dropout draws another mask when run again",
        ),
        (
            "_Recomputation.pull",
            "finally:\n            default_generator.set_state(now)",
            "finally:\n            pass",
            "the generator left where it was then",
        ),
        (
            "_Recomputation.pull",
            "if not is_same or not all(map(_equals, again.outputs, call.results)):",
            "if not is_same:",
            "other values in the second run unnoticed",
        ),
    ],
    "tensor/test_html.py": [
        ("escape", "escape(str(text))", "str(text)", "names that are not escaped"),
        ("_ends", "*items[-EDGE:]", "*items[:EDGE]", "the first rows twice"),
        (
            "_summary",
            "array[np.isfinite(array)]",
            "array",
            "one NaN hides all that there is to know",
        ),
    ],
    "nn/test_html.py": [
        (
            "module_html",
            "if id(child) not in above:",
            "if True:",
            "a module inside itself is shown for ever",
        ),
        (
            "module_html",
            """f"<li><code>{escape(f'{own}: {parameter.shape}')}</code></li>\"""",
            'f"<li><code>{own}: {parameter.shape}</code></li>"',
            "names of parameters that are not escaped",
        ),
    ],
    "utils/test_drawing.py": [
        (
            "_with_copies_of_leaves",
            "boxes[i].is_leaf and count > 1",
            "boxes[i].is_leaf",
            "a colour for a leaf that is used once",
        )
    ],
    "utils/test_layout.py": [
        (
            "arrange",
            "max(rows[parent], rows[child] + 1)",
            "rows[child] + 1",
            "an edge that leads up",
        ),
        (
            "_move_apart",
            "while pools and pools[-1][1] > mean:",
            "if pools and pools[-1][1] > mean:",
            "boxes that overlap",
        ),
        (
            "_move_apart",
            "(weight * mean + other_weight * other_mean) / total",
            "(mean + other_mean) / 2",
            "boxes that move further than they have to",
        ),
    ],
    "utils/test_svg.py": [
        (
            "_edge",
            "[*reversed(edge.places), layout.x[edge.end]]",
            "[*edge.places, layout.x[edge.end]][-1:]",
            "edges that end too high",
        )
    ],
    "utils/test_flow.py": [
        (
            "_Recorder.scan",
            "states[::-1] if reverse else states",
            "states",
            "the second direction's norms in its own order",
        ),
        (
            "_Recorder.scan",
            "w_hh.detach().requires_grad_()",
            "w_hh",
            "the first steps of a frozen layer are not recorded",
        ),
        (
            "_norms",
            "all(g is None for g in found)",
            "False",
            "a loss without a part of the layer has norms of 0",
        ),
        (
            "gradient_flow",
            "h_n[-len(layer._directions) :].sum()",
            "h_n[-1].sum()",
            "the loss of one direction alone",
        ),
        (
            "_same_random_numbers",
            "default_generator.set_state(state)",
            "pass",
            "dropout draws other masks after a look at the gradients",
        ),
    ],
    "utils/test_structure.py": [
        (
            "detach",
            "return None if value is None else value.detach()",
            "return value",
            "not detached",
        )
    ],
    "backend/test_pool.py": [
        (
            "_Pool.take",
            "self.free[size].pop()",
            "self.free[size][-1]",
            "a block handed out that is held",
        )
    ],
    "backend/test_threads.py": [
        ("run_each", "_in_slice.set(True)", "pass", "a slice is cut again"),
        (
            "split_rows",
            "min(MAX_SLICES, rows // MIN_ROWS, multiplications // MIN_WORK)",
            "min(MAX_SLICES, rows // MIN_ROWS)",
            "threads for work that is not worth one",
        ),
    ],
    "ops/test_recurrent.py": [
        (
            "project_and_scan",
            "_clear_padding(x, lengths)",
            "x",
            "NaN in the padding reaches gradients of gradients",
        )
    ],
    "ops/test_index.py": [
        (
            "add_rows",
            "(starts + np.arange(size))",
            "(abs(starts) + np.arange(size))",
            "-1 is not the last row",
        ),
        ("add_rows", ".astype(np.intp) * size", "* size", "narrow ids wrap around"),
        (
            "scatter",
            "np.add.at(out, index, values)",
            "out[index] += values",
            "repeated places counted once",
            "ops/test_rows.py -k 'add_at or getitem'",
        ),
        (
            "ones",
            "vector.flags.writeable = False",
            "pass",
            "what is shared can be written to",
            "backend/test_standard.py",
        ),
    ],
    "backend/test_standard.py": [
        (
            "_write",
            'side="right") - 1',
            'side="left")',
            "the first of equal places stays",
        ),
        (
            "exp_difference",
            "if x.dtype != xp.float64:",
            "if True:",
            "the last digits",
            "ops/test_numbers.py",
        ),
    ],
    "test_einsum.py": [
        (
            "einsum",
            'needed = result + "".join(terms[i:])',
            "needed = result",
            "letters of later operands summed too early",
        ),
        (
            "_take_diagonals",
            "term[i + 1 : j] + term[j + 1 :]",
            "term[i + 1 : j] + term[j + 1 :][::-1]",
            "letters in another order than the dims",
        ),
    ],
    "tensor/test_methods.py": [
        (
            "Shapes.roll",
            "cut = -shift % max(size, 1)",
            "cut = shift % max(size, 1)",
            "rolled the other way",
        ),
        (
            "Reductions.var",
            "total / (count - correction)",
            "total / count",
            "Bessel's correction forgotten",
        ),
        (
            "Reductions.std",
            "return _except_at_zero(self.var(dim, correction, keepdim), ops.sqrt)",
            "return self.var(dim, correction, keepdim).sqrt()",
            "NaN where nothing varies",
            "tensor/test_reductions.py",
        ),
        (
            "Reductions.sum",
            'dim, keepdim)._cast(dtype, "u")',
            "dim, keepdim)",
            "a sum of int32 in int64",
            "tensor/test_reductions.py",
        ),
        (
            "Reductions.cumprod",
            "step *= 2",
            "step += 1",
            "products of too many",
            "tensor/test_methods.py -k cumprod",
        ),
        (
            "Elementwise.__array_ufunc__",
            "__array_ufunc__(self",
            "_array_ufunc_(self",
            "an array of Tensors, not a Tensor",
            "errors/test_left_out.py -k array_before",
        ),
    ],
    "tensor/test_methods.py -k median": [
        ("Ordering.median", "(size - 1) // 2, 1)", "size // 2, 1)", "the upper median")
    ],
    "tensor/test_methods.py -k 'scatter or diag'": [
        (
            "Selection.diag",
            "along, side = np.arange(size), size + down + right",
            "along, side = np.arange(size), size + down",
            "a matrix too small",
        ),
        (
            "Selection._scatter_arguments",
            "_index_along(dim, index), copy=True)",
            "_index_along(dim, index))",
            "an index that the user changes later",
            "tensor/test_selection.py",
        ),
        (
            "Selection.scatter_add",
            "x + ops.add_at(values",
            "ops.add_at(values",
            "added to nothing",
        ),
    ],
    "distributed": [
        (
            "average_gradients",
            "mean if some else None",
            "mean",
            "zeros for a gradient that nobody has",
        ),
        (
            "average_gradients",
            "is_there = [g is not None for g in given]",
            "is_there = [True for g in given]",
            "as if every rank had every gradient",
        ),
        ("reduce_arrays", "vector /= communicator.size", "pass", "a sum for a mean"),
        (
            "_scale_of",
            "ranks / counts[0]",
            "1 / counts[0]",
            "a loss that forgets by how many ranks it is averaged",
        ),
        (
            "_exchange",
            "start += x.size",
            "start += 1",
            "parts of a vector that overlap",
        ),
        (
            "all_reduce",
            "count_change(tensor.version, name)",
            "pass",
            "a change in place that nobody counts",
        ),
        (
            "Watcher._hear",
            "if rank.label and not rank.has_ended",
            "if rank.label",
            "a rank that said goodbye counts as dead",
            "distributed/test_watcher.py",
        ),
        (
            "Watcher._report",
            "other is not rank",
            "other is rank",
            "a death reported to nobody who is left",
            "distributed/test_watcher.py",
        ),
        (
            "Watch._check",
            "if call and self.calls == calls",
            "if self.calls == calls",
            "a rank ends while it needs nobody",
            "distributed/test_watch.py",
        ),
        (
            "Watch._check",
            "calls > gone.calls",
            "True",
            "a rank ends in a call that the one that left has made",
            "distributed/test_watch.py",
        ),
        (
            "_end_together",
            "previous(kind, error, traceback)",
            "pass",
            "an error without its traceback",
            "distributed/test_group.py",
        ),
        (
            "_end_together",
            "time.sleep(FORWARDING)",
            "pass",
            "an error that the launcher has no time to print",
            "distributed/test_group.py",
        ),
        (
            "Averaging.average",
            "seam.act(average_in_place, self.group, [g.array for g in held])",
            "average_in_place(self.group, [g.array for g in held])",
            "a compiled step that averages when it is captured only",
            "nn/test_parallel.py",
        ),
        (
            "DistributedDataParallel.no_sync",
            "self.require_backward_grad_sync = before",
            "pass",
            "no_sync for ever",
            "nn/test_parallel.py",
        ),
        (
            "DistributedDataParallel.__init__",
            "_copy_from_rank_0(group, [x for _, x in named])",
            "pass",
            "models that start from several seeds",
            "nn/test_parallel.py",
        ),
        (
            "DistributedDataParallel.__init__",
            "_check_equal(group, named)",
            "pass",
            "models of several shapes",
            "nn/test_parallel.py",
        ),
        (
            "Averaging.concerns",
            "id(leaf) in self._ids",
            "leaf is not None",
            "the backward of another model averaged",
            "nn/test_parallel.py",
        ),
        (
            "DistributedSampler.__iter__",
            "np.random.default_rng((self.seed, self.epoch))",
            "np.random.default_rng((self.seed, 0))",
            "the same order in every epoch",
            "utils/data/test_distributed.py",
        ),
        (
            "DistributedSampler.__iter__",
            "np.arange(self.rank, total, self.num_replicas)",
            "np.arange(self.rank, total, self.num_replicas)[::-1]",
            "samples in another order",
            "utils/data/test_distributed.py",
        ),
        (
            "TextStreams.shard",
            "self._start + int(rank) * part.batch_size",
            "int(rank) * part.batch_size",
            "a shard of a shard that begins where the first one does",
            "data/test_streams.py",
        ),
    ],
    "array_api": [
        (
            "_dims_to_reduce",
            "(x.unsqueeze(0), 0, False) if axis",
            "(x, None, keepdims) if axis",
            "reduced along no dims",
        ),
        ("sum", "keepdims).to(dtype)", "keepdims)", "a dtype that is not kept"),
        (
            "reshape",
            "out.clone() if copy and is_shared else out",
            "out",
            "a view for a copy",
        ),
        (
            "vecdot",
            "axis=axis, dtype=products.dtype",
            "axis=axis",
            "a product of bytes in 64 bits",
        ),
    ],
    "errors/test_left_out.py": [
        (
            "table",
            "ours or row.instead",
            "row.instead or ours[:0]",
            "nothing said of an alias",
        ),
        ("_message", "table().get(owner, {}).get(name)", "None", "the table not read"),
        (
            "homes_of",
            "name in _public_names(module)",
            "False",
            "the other modules not looked through",
        ),
    ],
    "backend/test_memory.py": [
        (
            "retrying",
            "library.free()",
            "pass",
            "what is kept for reuse is not freed before the second try",
        ),
        (
            "retrying",
            "pass raise OutOfMemoryError(_message(library, size))",
            "raise",
            "the array library's error where memory has run out",
        ),
        (
            "run_forward",
            "free_memory()",
            "raise",
            "no second try of an op where memory has run out",
            "backend/test_cupy.py",
        ),
        (
            "Compiled._capture",
            "tape.forget()",
            "pass",
            "a capture holds all results until Python collects cycles",
        ),
    ],
    "test_cuda.py": [
        (
            "find",
            "if found.multi_device and name == found.kind:",
            "if False:",
            "cuda alone is always the first GPU",
        ),
        (
            "set_device",
            'seam.settings["cuda"] = gpu.index',
            "pass",
            "a compiled function makes tensors on the GPU that was current before",
        ),
        (
            "device",
            "finally: set_device(before)",
            "finally: pass",
            "the current GPU stays another one after the context",
        ),
        (
            "synchronize",
            'seam.act(_find_gpu("synchronize", device).synchronize)',
            '_find_gpu("synchronize", device).synchronize()',
            "a replay does not wait",
        ),
        (
            "memory_allocated",
            '_name_of_gpu("memory_allocated", device)',
            '"cuda"',
            "the memory of another GPU",
        ),
        (
            "empty_cache",
            'seam.act(libraries["cuda"].free)',
            "pass",
            "memory that is kept for reuse stays",
        ),
    ],
    "test_creation.py": [
        (
            "host_copy",
            "return _copy(host_array(data, dtype, name))",
            "return host_array(data, dtype, name)",
            "tensor() shares what it should copy",
        ),
        (
            "check_export",
            "if _would_lose_history(value):",
            "if False:",
            "another library takes an array without a word about its gradient",
            "test_convert.py",
        ),
        (
            "index_of",
            "if copy and type(array) in backends:",
            "if False:",
            "an index of the user's own kept",
            "tensor/test_indexing.py",
        ),
    ],
    "engine/test_compiled_guards.py": [
        (
            "conditions",
            'f"{at} != {at}" if is_nan else f"{at} == {own}"',
            '"True"',
            "the value of a number is no guard",
        ),
        ("conditions", "if value == 0:", "if False:", "a replay for 0.0 serves -0.0"),
        (
            "Tape.module_called",
            "self._guard_reads()",
            "pass",
            "what the forward of a module reads is no guard",
        ),
        (
            "Tape.gradient_read",
            'self.guards.append(f"{own}._grad is None")',
            "pass",
            "a gradient that is there is taken for None",
        ),
        (
            "Conditions.hold",
            "return all(same_attributes(module, old) for module, old in self.modules)",
            "return True",
            "a change of a module's attribute is not seen",
        ),
        (
            "Reads._visit_code",
            "for cell in function.__closure__ or ():",
            "for cell in ():",
            "free variables are no guards",
        ),
        (
            "Optimizer._has_params",
            "[*map(id, params)] == ids",
            "len(ids) > 0",
            "a group that is added later is not trained",
        ),
    ],
    "engine/test_compiled_refusals.py": [
        (
            "Tape.finish",
            "if kept := self._find_kept(returned):",
            "if kept := str():",
            "a result that is kept outside stays an old one",
        ),
        (
            "Tape._check_random_states",
            "if old[0] != new[0] or old[1] not in (None, new[1]):",
            "if False:",
            "the same random number in each replay",
        ),
        (
            "Tape._check_reads",
            "if changed := self.reads.changed():",
            "if changed := str():",
            "a counter that a replay does not count",
        ),
        (
            "Compiled._add",
            "if difference := first.difference(program):",
            "if difference := str():",
            "what changes by itself is replayed as it was",
        ),
    ],
    "engine/test_places.py": [
        (
            "line_that_changes",
            "if points > best:",
            "if points:",
            "another line is named than the one that changes what is read",
        ),
        (
            "user_line",
            'if is_users_name(str(frame.f_globals.get("__name__"))):',
            "if True:",
            "a refusal names a line of the standard library",
        ),
    ],
    "engine/test_capture.py": [
        (
            "Compiled._make_room",
            "if self._hits + self._misses - oldest.last_call < UNUSED_CALLS:",
            "if False:",
            "kinds of calls that take turns are captured again and again",
        ),
        (
            "Compiled._put_first",
            "if self._ready:",
            "if False:",
            "a program in use makes room",
        ),
    ],
    "engine/test_compiled_traps.py": [
        ("act", "has_effect=True", "has_effect=False", "an effect taken for pure"),
        (
            "Tape.changed",
            'f"{own}.count += 1"',
            'f"{own}.count += 0"',
            "a change in place in a replay is not counted",
        ),
        (
            "_keep_used",
            "last = sorted((line.reads | set(line.writes if is_used else ())) - live)",
            "last = sorted(line.reads | set(line.writes if is_used else ()))",
            "a variable deleted before its last use",
        ),
        (
            "_keep_used",
            "if last:",
            "if False:",
            "a replay holds all its intermediates until its end",
        ),
        (
            "Tape.constant",
            "self.run(np.array, (kept,), {}, can_warn=False) if is_written else kept",
            "kept",
            "a constant that a result changes",
        ),
        (
            "Compiled._capture",
            "seam.observers.remove(tape)",
            "pass",
            "a capture that never ends",
        ),
        (
            "current",
            "if recorder is None or recorder.thread != get_ident():",
            "if recorder is None:",
            "another thread is recorded",
        ),
    ],
}
