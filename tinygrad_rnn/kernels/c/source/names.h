/* One source, compiled once for each float type and instruction set.

   A name that this list maps becomes name_f32_avx2, and so on: variant.h defines FLOAT
   and ISA anew before it includes the files. */

#ifndef TINYGRAD_RNN_NAMES
#define TINYGRAD_RNN_NAMES

/* vectors.h */
#define vec VARIANT(vec)
#define loose_vec VARIANT(loose_vec)
#define vec_int VARIANT(vec_int)
#define load VARIANT(load)
#define store VARIANT(store)
#define select VARIANT(select)
#define add_lanes VARIANT(add_lanes)
#define exp_parts VARIANT(exp_parts)
#define exp_of VARIANT(exp_of)
#define tanh_of VARIANT(tanh_of)
#define sigmoid_of VARIANT(sigmoid_of)
#define relu_of VARIANT(relu_of)

/* product.h */
#define matrix VARIANT(matrix)
#define tile VARIANT(tile)
#define use_tile VARIANT(use_tile)
#define micro_kernel VARIANT(micro_kernel)
#define sum_tile VARIANT(sum_tile)
#define micro_kernels VARIANT(micro_kernels)
#define panel_vectors VARIANT(panel_vectors)
#define vectors_for VARIANT(vectors_for)
#define padded VARIANT(padded)
#define pack_columns VARIANT(pack_columns)
#define operand VARIANT(operand)
#define pack VARIANT(pack)
#define pack_transposed VARIANT(pack_transposed)
#define dot_rows VARIANT(dot_rows)
#define ask_for_row VARIANT(ask_for_row)
#define next_tile VARIANT(next_tile)
#define sum_and_ask VARIANT(sum_and_ask)
#define for_each_unpacked_tile VARIANT(for_each_unpacked_tile)
#define pack_gates VARIANT(pack_gates)
#define for_each_tile VARIANT(for_each_tile)
#define product_result VARIANT(product_result)
#define store_product VARIANT(store_product)
#define multiply_packed VARIANT(multiply_packed)
#define multiply VARIANT(multiply)
#define sum_rows VARIANT(sum_rows)

/* linear.h */
#define linear_forward VARIANT(linear_forward)
#define linear_backward VARIANT(linear_backward)

/* embedding.h */
#define embedding_backward VARIANT(embedding_backward)

/* scan.h */
#define scan_input VARIANT(scan_input)
#define input_row VARIANT(input_row)
#define state_before VARIANT(state_before)
#define state_after VARIANT(state_after)
#define row_bytes VARIANT(row_bytes)
#define begin_states VARIANT(begin_states)
#define end_states VARIANT(end_states)
#define clear_padding VARIANT(clear_padding)
#define add_biases VARIANT(add_biases)
#define table_row VARIANT(table_row)
#define project VARIANT(project)
#define transpose VARIANT(transpose)
#define finish_backward VARIANT(finish_backward)
#define state_back VARIANT(state_back)
#define state_back_tile VARIANT(state_back_tile)

/* rnn.h */
#define rnn_step VARIANT(rnn_step)
#define rnn_step_rows VARIANT(rnn_step_rows)
#define rnn_tanh_tile VARIANT(rnn_tanh_tile)
#define rnn_relu_tile VARIANT(rnn_relu_tile)
#define rnn_forward VARIANT(rnn_forward)
#define rnn_ask VARIANT(rnn_ask)
#define rnn_back VARIANT(rnn_back)
#define rnn_back_ask VARIANT(rnn_back_ask)
#define rnn_back_tile VARIANT(rnn_back_tile)
#define rnn_backward VARIANT(rnn_backward)

/* lstm.h */
#define lstm_step VARIANT(lstm_step)
#define lstm_tile VARIANT(lstm_tile)
#define lstm_forward VARIANT(lstm_forward)
#define lstm_back VARIANT(lstm_back)
#define lstm_back_ask VARIANT(lstm_back_ask)
#define lstm_back_tile VARIANT(lstm_back_tile)
#define lstm_backward VARIANT(lstm_backward)

/* gru.h */
#define gru_step VARIANT(gru_step)
#define gru_tile VARIANT(gru_tile)
#define gru_bias VARIANT(gru_bias)
#define gru_forward VARIANT(gru_forward)
#define gru_back VARIANT(gru_back)
#define gru_back_ask VARIANT(gru_back_ask)
#define gru_back_tile VARIANT(gru_back_tile)
#define gru_backward VARIANT(gru_backward)

/* loss.h */
#define largest_of VARIANT(largest_of)
#define exp_difference VARIANT(exp_difference)
#define exp_row VARIANT(exp_row)
#define cross_entropy_forward VARIANT(cross_entropy_forward)
#define cross_entropy_backward VARIANT(cross_entropy_backward)

/* norm.h */
#define sum_of VARIANT(sum_of)
#define squared_distance VARIANT(squared_distance)
#define squares_around VARIANT(squares_around)
#define write_normed VARIANT(write_normed)
#define layer_norm_forward VARIANT(layer_norm_forward)
#define norm_row VARIANT(norm_row)
#define norm_row_at VARIANT(norm_row_at)
#define through_weight VARIANT(through_weight)
#define normed_at VARIANT(normed_at)
#define layer_norm_row_back VARIANT(layer_norm_row_back)
#define add_to VARIANT(add_to)
#define add_norm_sums VARIANT(add_norm_sums)
#define layer_norm_backward VARIANT(layer_norm_backward)

/* optimizer.h */
#define sum_squares VARIANT(sum_squares)
#define scale_array VARIANT(scale_array)
#define adam_step VARIANT(adam_step)

/* kernels.h */
#define kernels VARIANT(kernels)

#endif
