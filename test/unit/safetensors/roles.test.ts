import { describe, expect, test } from 'vitest';
import { blockPaths } from '../../../electron/engine/formats/safetensors/read/blocks.ts';
import { describeTensors } from '../../../electron/engine/formats/safetensors/read/roles.ts';

function roles(shapes: Readonly<Record<string, readonly number[]>>): Record<string, string> {
  const tensors = Object.entries(shapes).map(([name, shape]) => ({
    name,
    dtype: 'float32' as const,
    shape,
  }));
  return Object.fromEntries(
    describeTensors(tensors).map(({ op, role, axis }, at) => [
      tensors[at]!.name,
      `${op} ${role}${axis === null ? '' : ` ${axis}`}`,
    ]),
  );
}

describe('what a tensor is, from its name and shape', () => {
  test.each<[string, readonly number[], string]>([
    ['fc.weight', [10, 20], 'Linear weight 0'],
    ['lm_head.weight', [32000, 4096], 'Linear weight 0'],
    ['gpt_neox.embed_out.weight', [50432, 6144], 'Linear weight 0'],
    ['lora_A.weight', [8, 768], 'Linear weight 0'],
    ['model.embed_tokens.weight', [32000, 4096], 'Embedding embedding 0'],
    ['bert.embeddings.word_embeddings.weight', [30522, 768], 'Embedding embedding 0'],
    ['text_model.embeddings.position_embedding.weight', [77, 512], 'Embedding embedding 0'],
    ['transformer.wte.weight', [50257, 768], 'Embedding embedding 0'],
    ['shared.weight', [32128, 512], 'Embedding embedding 0'],
    ['block.0.SelfAttention.relative_attention_bias.weight', [32, 8], 'Embedding embedding 0'],
    ['conv.weight', [8, 4, 3], 'Conv1d weight 0'],
    ['vision_model.embeddings.patch_embedding.weight', [768, 3, 16, 16], 'Conv2d weight 0'],
    ['stem.conv.weight', [8, 4, 3, 3, 3], 'Conv3d weight 0'],
    ['up.conv_transpose.weight', [8, 4, 2, 2], 'ConvTranspose2d weight 1'],
    ['attn.in_proj_weight', [2304, 768], 'MultiheadAttention weight 0'],
    ['vision_model.embeddings.class_embedding', [768], 'Embedding embedding'],
    ['cls_token', [1, 1, 768], 'Embedding embedding'],
    ['pos_embed', [1, 197, 768], 'Embedding embedding'],
    ['text_projection', [512, 512], 'Parameter weight 0'],
    ['experts.gate_up_proj', [32, 2880, 5760], 'Parameter weight 0'],
    ['model.decoder.embed_positions.weight', [448, 64], 'Embedding embedding 0'],
    ['gpt_neox.embed_in.weight', [1000, 64], 'Embedding embedding 0'],
    ['prompt_encoder.point_embed.3.weight', [1, 256], 'Embedding embedding 0'],
    ['mask_decoder.mask_tokens.weight', [4, 256], 'Embedding embedding 0'],
    ['attn.rel_pos_w', [27, 16], 'Embedding embedding 0'],
    ['transformer.layer.0.rel_attn.q', [1024, 16, 64], 'Parameter weight 1'],
    ['transformer.layer.0.rel_attn.o', [1024, 16, 64], 'Parameter weight 0'],
    ['q_proj.lora_A', [8, 768], 'Parameter weight 0'],
    ['q_proj.lora_B', [768, 8], 'Parameter weight 0'],
    ['to_q.lora_down.weight', [8, 768], 'Linear weight 0'],
    ['fc.U', [768, 8], 'Parameter weight 0'],
    ['conv.hada_w1_a', [64, 8], 'Parameter weight 0'],
    ['conv.weight_v', [8, 4, 3], 'Conv1d weight 0'],
    ['conv.weight_g', [8, 1, 1], 'WeightNorm norm'],
    ['conv.parametrizations.weight.original0', [8, 1, 1], 'WeightNorm norm'],
    ['conv.parametrizations.weight.original1', [8, 4, 3], 'Conv1d weight 0'],
    ['fc.parametrizations.weight.original', [8, 4], 'Linear weight 0'],
    ['block_sparse_moe.input_linear.weight', [32, 1024, 512], 'Parameter weight 0'],
    ['logit_scale', [], 'Parameter other'],
    ['rotary_emb.inv_freq', [64], 'Parameter other'],
    ['mixer.A_log', [1536, 16], 'Parameter other'],
    ['model.norm.weight', [4096], 'RMSNorm norm'],
  ])('%s %j', (name, shape, expected) => {
    expect(roles({ [name]: shape })[name]).toBe(expected);
  });

  test('a bias is its module’s; that of a norm is a norm’s', () => {
    expect(
      roles({
        'fc.weight': [4, 8],
        'fc.bias': [4],
        'ln.weight': [8],
        'ln.bias': [8],
        'LayerNorm.gamma': [8],
        'LayerNorm.beta': [8],
        'bn1.weight': [8],
        'bn1.bias': [8],
        'bn1.running_mean': [8],
        'bn1.running_var': [8],
        'group_norm.weight': [8],
        'group_norm.bias': [8],
        'predictions.bias': [30524],
      }),
    ).toEqual({
      'fc.weight': 'Linear weight 0',
      'fc.bias': 'Linear bias',
      'ln.weight': 'LayerNorm norm',
      'ln.bias': 'LayerNorm norm',
      'LayerNorm.gamma': 'LayerNorm norm',
      'LayerNorm.beta': 'LayerNorm norm',
      'bn1.weight': 'BatchNorm norm',
      'bn1.bias': 'BatchNorm norm',
      'bn1.running_mean': 'BatchNorm norm',
      'bn1.running_var': 'BatchNorm norm',
      'group_norm.weight': 'GroupNorm norm',
      'group_norm.bias': 'GroupNorm norm',
      'predictions.bias': 'Parameter bias',
    });
  });

  test('GPT-2’s Conv1D has its channels on axis 1, the square one too; a Linear of that name has not', () => {
    const gpt2 = {
      'h.0.attn.c_attn.weight': [768, 2304],
      'h.0.attn.c_attn.bias': [2304],
      'h.0.attn.c_proj.weight': [768, 768],
      'h.0.attn.c_proj.bias': [768],
    };
    expect(roles(gpt2)).toEqual({
      'h.0.attn.c_attn.weight': 'Conv1D weight 1',
      'h.0.attn.c_attn.bias': 'Conv1D bias',
      'h.0.attn.c_proj.weight': 'Conv1D weight 1',
      'h.0.attn.c_proj.bias': 'Conv1D bias',
    });
    const linear = {
      'h.0.attn.c_attn.weight': [2304, 768],
      'h.0.attn.c_proj.weight': [768, 768],
      'h.0.attn.c_proj.bias': [768],
    };
    expect(Object.values(roles(linear))).toEqual([
      'Linear weight 0',
      'Linear weight 0',
      'Linear bias',
    ]);
  });

  test('a bias tells a transposed convolution, and that a weight is no table', () => {
    expect(
      roles({
        'up.0.weight': [64, 32, 16],
        'up.0.bias': [32],
        'square.weight': [32, 32, 3],
        'square.bias': [32],
        'time_embed.0.weight': [1280, 320],
        'time_embed.0.bias': [1280],
      }),
    ).toEqual({
      'up.0.weight': 'ConvTranspose1d weight 1',
      'up.0.bias': 'ConvTranspose1d bias',
      'square.weight': 'Conv1d weight 0',
      'square.bias': 'Conv1d bias',
      'time_embed.0.weight': 'Linear weight 0',
      'time_embed.0.bias': 'Linear bias',
    });
  });

  test('a weight under weight norm is its module’s, its gain a norm’s, as torch names them now and before', () => {
    expect(
      Object.values(
        roles({
          'conv.parametrizations.weight.original0': [64, 1, 1],
          'conv.parametrizations.weight.original1': [64, 32, 5],
          'conv.bias': [64],
          'old.weight_g': [64, 1, 1],
          'old.weight_v': [64, 32, 5],
        }),
      ),
    ).toEqual([
      'WeightNorm norm',
      'Conv1d weight 0',
      'Conv1d bias',
      'WeightNorm norm',
      'Conv1d weight 0',
    ]);
  });

  test('a recurrent layer is told by how many gates it stacks', () => {
    const layer = (gates: number): Record<string, readonly number[]> => ({
      'rnn.weight_ih_l0': [gates * 16, 8],
      'rnn.weight_hh_l0': [gates * 16, 16],
      'rnn.bias_ih_l0': [gates * 16],
    });
    expect(Object.values(roles(layer(4)))).toEqual(['LSTM weight 0', 'LSTM weight 0', 'LSTM bias']);
    expect(Object.values(roles(layer(3)))).toEqual(['GRU weight 0', 'GRU weight 0', 'GRU bias']);
    expect(Object.values(roles(layer(1)))).toEqual(['RNN weight 0', 'RNN weight 0', 'RNN bias']);
  });

  test('what is no float is a buffer', () => {
    const [described] = describeTensors([
      { name: 'position_ids', dtype: 'int64', shape: [1, 512] },
    ]);
    expect(described).toEqual({
      layer: 'position_ids',
      op: 'Buffer',
      role: 'constant',
      axis: null,
    });
  });
});

test('blocks that repeat are one path, with the numbers as a span', () => {
  const layers = [
    'encoder.layers.0.fc',
    'encoder.layers.11.fc',
    'encoder.layers.3.mlp.1',
    'encoder.layers.4.mlp.0',
    'head.0',
    'pooler',
  ];
  expect(blockPaths(layers)).toEqual([
    'encoder.layers.0..11.fc',
    'encoder.layers.0..11.fc',
    'encoder.layers.0..11.mlp.0..1',
    'encoder.layers.0..11.mlp.0..1',
    'head.0',
    'pooler',
  ]);
});
