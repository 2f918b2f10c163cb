//! A GPT-2 of random weights: width 384, 6 layers, 6 heads, vocabulary 8192, context 1024.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;

pub(crate) const WIDTH: usize = 384;
pub(crate) const LAYERS: usize = 6;
pub(crate) const HEADS: usize = 6;
pub(crate) const VOCABULARY: usize = 8192;
pub(crate) const CONTEXT: usize = 1024;

/// Writes the model directory. The tokenizer is that of a test fixture: its ids are a part of the
/// vocabulary.
pub(crate) fn write(directory: &Path) {
    fs::create_dir_all(directory).expect("a directory");
    let config = json!({
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": VOCABULARY,
        "n_positions": CONTEXT,
        "n_embd": WIDTH,
        "n_layer": LAYERS,
        "n_head": HEADS,
        "bos_token_id": 0,
        "eos_token_id": 0,
    });
    fs::write(directory.join("config.json"), config.to_string()).expect("a configuration");
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/models/gpt2");
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        fs::copy(Path::new(fixture).join(name), directory.join(name)).expect("a tokenizer");
    }
    let mut noise = Noise(0x9e37_79b9);
    let tensors: Vec<_> = shapes()
        .into_iter()
        .map(|(name, shape)| {
            let is_scale = name.contains("ln_") && name.ends_with("weight");
            let bytes: Vec<u8> = (0..shape.iter().product())
                .flat_map(|_| if is_scale { 1.0 } else { noise.next() }.to_le_bytes())
                .collect();
            (name, shape, bytes)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name, TensorView::new(Dtype::F32, shape.clone(), bytes).expect("a tensor"))
    });
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize_to_file(views, Some(metadata), &directory.join("model.safetensors"))
        .expect("weights");
}

fn shapes() -> Vec<(String, Vec<usize>)> {
    let mut shapes = vec![
        ("wte.weight".to_owned(), vec![VOCABULARY, WIDTH]),
        ("wpe.weight".to_owned(), vec![CONTEXT, WIDTH]),
        ("ln_f.weight".to_owned(), vec![WIDTH]),
        ("ln_f.bias".to_owned(), vec![WIDTH]),
    ];
    for layer in 0..LAYERS {
        for norm in ["ln_1", "ln_2"] {
            shapes.push((format!("h.{layer}.{norm}.weight"), vec![WIDTH]));
            shapes.push((format!("h.{layer}.{norm}.bias"), vec![WIDTH]));
        }
        for (name, input, output) in [
            ("attn.c_attn", WIDTH, 3 * WIDTH),
            ("attn.c_proj", WIDTH, WIDTH),
            ("mlp.c_fc", WIDTH, 4 * WIDTH),
            ("mlp.c_proj", 4 * WIDTH, WIDTH),
        ] {
            shapes.push((format!("h.{layer}.{name}.weight"), vec![input, output]));
            shapes.push((format!("h.{layer}.{name}.bias"), vec![output]));
        }
    }
    for (name, _) in &mut shapes {
        *name = format!("transformer.{name}");
    }
    shapes
}

/// Uniform numbers of the spread of GPT-2's initialisation, from xorshift (Marsaglia 2003).
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        (self.0 as f32 / u32::MAX as f32 - 0.5) * 0.07
    }
}
