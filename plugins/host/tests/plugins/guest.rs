//! A plugin in WAT, of which a test replaces a part.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The published contract.
pub(crate) const WIT: &str = include_str!("../../wit/filter.wit");

/// A plugin that gives TOXICITY: the first byte of a text, less 48, by 10, so that `3 texts` has 0.3.
///
/// Its parts are WAT. `verdict` is the body of a function of `$text`, `$length` and `$out`, which writes
/// a verdict of 12 bytes at `$out`; it may call `$value` and `$string` to do so, and `$is_bad` to see
/// whether the text begins with `!`.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) attributes: Vec<&'static str>,
    pub(crate) rejects: bool,
    /// Pages of memory, 64 KiB each.
    pub(crate) pages: u32,
    pub(crate) imports: &'static str,
    pub(crate) declarations: &'static str,
    pub(crate) verdict: &'static str,
    pub(crate) score: &'static str,
    pub(crate) describe: &'static str,
    pub(crate) configure: &'static str,
    /// The contract that it is made for.
    pub(crate) contract: String,
    /// A world that includes the contract's and imports something.
    pub(crate) world: Option<&'static str>,
    /// The contract's version in the names of exports.
    pub(crate) speaks: &'static str,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            name: "test",
            version: "1.0",
            attributes: vec!["TOXICITY"],
            rejects: true,
            pages: 2,
            imports: "",
            declarations: "",
            verdict: "(call $default (local.get $text) (local.get $length) (local.get $out))",
            score: "(call $each (local.get $samples) (local.get $count))",
            describe: "",
            configure: "(call $ok)",
            contract: WIT.to_owned(),
            world: None,
            speaks: "0.1.0",
        }
    }
}

impl Guest {
    /// Does something else with texts that begin with `!`.
    pub(crate) fn on_bad(verdict: &'static str) -> Self {
        Self { verdict, ..Self::default() }
    }

    /// The component.
    pub(crate) fn component(&self) -> Vec<u8> {
        let mut module = self.module();
        let mut resolve = Resolve::default();
        let push = |resolve: &mut Resolve, name: &str, text: &str| {
            resolve.push_str(name, text).unwrap_or_else(|e| panic!("{name}: {e:?}"))
        };
        let mut package = push(&mut resolve, "filter.wit", &self.contract);
        if let Some(world) = self.world {
            package = push(&mut resolve, "world.wit", world);
        }
        let world = resolve.select_world(&[package], None).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
    }

    /// The core module, without what says which world it is for.
    pub(crate) fn module(&self) -> Vec<u8> {
        wat::parse_str(self.text()).unwrap_or_else(|e| panic!("{e}\n{}", self.text()))
    }

    fn text(&self) -> String {
        let Self {
            pages, imports, declarations, verdict, score, describe, configure, speaks, ..
        } = self;
        let export = |name: &str| format!("(export \"detoxlm:filter/scoring@{speaks}#{name}\")");
        let (strings, descriptor) = self.descriptor();
        format!(
            r#"(module
  {imports}
  (memory (export "memory") {pages})
  (global $top (mut i32) (i32.const 4096))
  {declarations}
  {strings}
  (func $allocate (param $bytes i32) (result i32) (local $at i32)
    (local.set $at (global.get $top))
    (global.set $top (i32.and (i32.add (i32.add (global.get $top) (local.get $bytes)) (i32.const 7)) (i32.const -8)))
    (block $fits
      (br_if $fits (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
      (drop (memory.grow (i32.add (i32.div_u (local.get $bytes) (i32.const 65536)) (i32.const 1)))))
    (local.get $at))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $allocate (local.get 3)))
  (func $is_bad (param $text i32) (result i32)
    (i32.eq (i32.load8_u (local.get $text)) (i32.const 33)))
  (func $value (param $out i32) (param $value f32) (local $list i32)
    (local.set $list (call $allocate (i32.const 4)))
    (f32.store (local.get $list) (local.get $value))
    (i32.store8 (local.get $out) (i32.const 0))
    (i32.store offset=4 (local.get $out) (local.get $list))
    (i32.store offset=8 (local.get $out) (i32.const 1)))
  (func $string (param $out i32) (param $case i32) (param $at i32) (param $bytes i32)
    (i32.store8 (local.get $out) (local.get $case))
    (i32.store offset=4 (local.get $out) (local.get $at))
    (i32.store offset=8 (local.get $out) (local.get $bytes)))
  (func $default (param $text i32) (param $length i32) (param $out i32)
    (call $value (local.get $out)
      (f32.div (f32.convert_i32_s (i32.sub (i32.load8_u (local.get $text)) (i32.const 48))) (f32.const 10))))
  (func $verdict (param $text i32) (param $length i32) (param $out i32)
    {verdict})
  (func $each (param $samples i32) (param $count i32) (result i32)
    (local $list i32) (local $at i32) (local $sample i32)
    (local.set $list (call $allocate (i32.mul (local.get $count) (i32.const 12))))
    (block $done (loop $next
      (br_if $done (i32.eq (local.get $at) (local.get $count)))
      (local.set $sample (i32.add (local.get $samples) (i32.mul (local.get $at) (i32.const 16))))
      (call $verdict
        (i32.load offset=8 (local.get $sample)) (i32.load offset=12 (local.get $sample))
        (i32.add (local.get $list) (i32.mul (local.get $at) (i32.const 12))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next)))
    (call $list (local.get $list) (local.get $count)))
  (func $list (param $list i32) (param $count i32) (result i32) (local $answer i32)
    (local.set $answer (call $allocate (i32.const 16)))
    (i32.store8 (local.get $answer) (i32.const 0))
    (i32.store offset=4 (local.get $answer) (local.get $list))
    (i32.store offset=8 (local.get $answer) (local.get $count))
    (local.get $answer))
  (func $ok (result i32) (local $answer i32)
    (local.set $answer (call $allocate (i32.const 16)))
    (i32.store8 (local.get $answer) (i32.const 0))
    (local.get $answer))
  (func $failure (param $case i32) (result i32) (local $answer i32)
    (local.set $answer (call $allocate (i32.const 16)))
    (i32.store8 (local.get $answer) (i32.const 1))
    (call $string (i32.add (local.get $answer) (i32.const 4)) (local.get $case) (i32.const 16) (i32.const 4))
    (local.get $answer))
  (func {export_describe} (result i32) {describe} {descriptor})
  (func {export_configure} (param $settings i32) (param $length i32) (result i32) {configure})
  (func {export_score} (param $samples i32) (param $count i32) (result i32) {score}))"#,
            export_describe = export("describe"),
            export_configure = export("configure"),
            export_score = export("score"),
        )
    }

    /// Data with its strings, and the code that puts the descriptor together at 1024. The word `oops` is
    /// at 16.
    fn descriptor(&self) -> (String, String) {
        let mut data = String::from("(data (i32.const 16) \"oops\")\n");
        let mut at = 64;
        let mut place = |text: &str| {
            let here = at;
            data.push_str(&format!("  (data (i32.const {at}) {text:?})\n"));
            at += text.len().max(1);
            format!("(i32.const {here}) (i32.const {})", text.len())
        };
        let store = |at: usize, pair: &str| {
            let (first, second) = pair.split_at(pair.find(") (").unwrap_or(0) + 1);
            format!(
                "(i32.store (i32.const {at}) {first}) (i32.store (i32.const {}) {second})\n",
                at + 4
            )
        };
        let mut code = String::new();
        for (field, text) in [self.name, self.version, "A test."].into_iter().enumerate() {
            code.push_str(&store(1024 + 8 * field, &place(text)));
        }
        for (number, name) in self.attributes.iter().enumerate() {
            code.push_str(&store(2048 + 8 * number, &place(name)));
        }
        let list = format!("(i32.const 2048) (i32.const {})", self.attributes.len());
        code.push_str(&store(1048, &list));
        let rejects = u8::from(self.rejects);
        code.push_str(&format!(
            "(i32.store8 (i32.const 1056) (i32.const {rejects})) (i32.const 1024)"
        ));
        (data, code)
    }
}
