//! How wasmtime is set up: everything off that a plugin has no use for.

use std::path::{Path, PathBuf};

use detoxlm_core::{Error, ErrorKind, Result};
use wasmtime::{
    Cache, CacheConfig, Config, Enabled, Engine, InstanceAllocationStrategy,
    PoolingAllocationConfig,
};

use crate::COMPONENT;
use crate::limits::Limits;

/// Bytes of a plugin's call stack.
const STACK: usize = 512 << 10;

/// Core modules and tables of a component: Python's have more than 20 modules.
pub(crate) const PARTS: u32 = 64;
/// Memories of a component.
pub(crate) const MEMORIES: u32 = 4;

/// Bytes of a memory or table that stay with the process between instances. They are cleared all the same,
/// and the next instance need not have its pages given by the system again.
const RESIDENT: usize = 1 << 20;

/// An engine for so many plugins at once, none with more than `ceiling`.
pub(crate) fn engine(instances: u32, ceiling: &Limits, cache: Option<&Path>) -> Result<Engine> {
    let cache = cache.map(open_cache).transpose()?;
    let mut config = Config::new();
    config
        // It counts instructions, and bytes of what one instruction fills or copies. Nothing else is
        // compiled into plugins: the clock is looked at where fuel is (`Instance`).
        .consume_fuel(true)
        .max_wasm_stack(STACK)
        // What is computed must be the same everywhere, to the bit.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        // A component runs one function at a time.
        .concurrency_support(false)
        .cache(cache);
    config.allocation_strategy(pooling(instances, ceiling));
    Engine::new(&config).or_else(|_| {
        // Address space may be limited; instances are then made one by one, which is slower.
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
        Engine::new(&config).map_err(|e| {
            let message = e.to_string();
            Error::new(ErrorKind::Internal, COMPONENT, "start the WebAssembly engine", message)
                .with_source(e.into_boxed_dyn_error())
        })
    })
}

fn pooling(instances: u32, ceiling: &Limits) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_stacks(instances)
        .total_core_instances(instances * PARTS)
        .total_memories(instances * MEMORIES)
        .total_tables(instances * PARTS)
        .max_core_instances_per_component(PARTS)
        .max_memories_per_component(MEMORIES)
        .max_memories_per_module(MEMORIES)
        .max_tables_per_component(PARTS)
        .max_tables_per_module(PARTS)
        .max_memory_size(ceiling.memory_bytes())
        .table_elements(ceiling.table_elements as usize)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .linear_memory_keep_resident(RESIDENT)
        .table_keep_resident(RESIDENT)
        .pagemap_scan(Enabled::Auto);
    pool
}

fn open_cache(directory: &Path) -> Result<Cache> {
    let mut config = CacheConfig::new();
    // The library wants an absolute path.
    let absolute = std::path::absolute(directory)
        .map_err(|e| Error::io(COMPONENT, "open the compile cache", directory, e))?;
    config.with_directory(absolute);
    Cache::new(config).map_err(|e| {
        Error::new(ErrorKind::Io, COMPONENT, "open the compile cache", e.to_string())
            .with_path(directory)
            .with_remedy("name a directory that can be written, or none")
            .with_source(e.into_boxed_dyn_error())
    })
}

/// Where the system keeps this user's compiled plugins, if that can be found out and written to.
pub(crate) fn user_cache() -> Option<PathBuf> {
    let cache = Cache::new(CacheConfig::new()).ok()?;
    Some(cache.directory().clone())
}
