//! Row-wise access to flat buffers.

use candle_core::{Result, bail};

use super::parallel::{self, Shared};

/// Rows of equal width inside of a flat buffer, possibly between other columns.
///
/// A fused projection puts query, key and value of a token side by side in one row;
/// [`Rows::columns`] then names one of the three without a copy.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    data: &'a [f32],
    stride: usize,
}

impl<'a> Rows<'a> {
    /// Consecutive rows of `width` values.
    pub fn dense(data: &'a [f32], width: usize) -> Self {
        Self { data, stride: width }
    }

    /// The columns from `offset` of rows of `stride` values.
    pub fn columns(data: &'a [f32], stride: usize, offset: usize) -> Self {
        Self { data: data.get(offset..).unwrap_or_default(), stride }
    }

    /// The first `width` values of row `index`.
    pub(crate) fn row(&self, index: usize, width: usize) -> &'a [f32] {
        &self.data[index * self.stride..][..width]
    }

    /// Fails unless there are `rows` rows of `width` values.
    pub(crate) fn check(&self, what: &str, rows: usize, width: usize) -> Result<()> {
        let end = if rows == 0 { 0 } else { (rows - 1) * self.stride + width };
        if end > self.data.len() || (rows > 1 && width > self.stride) {
            bail!(
                "{what}: {} values in rows of {} do not hold ({rows}, {width})",
                self.data.len(),
                self.stride
            );
        }
        Ok(())
    }
}

/// Fails unless `data` is exactly (rows, width).
pub(crate) fn check_dense(what: &str, data: &[f32], rows: usize, width: usize) -> Result<()> {
    if rows.checked_mul(width) != Some(data.len()) {
        bail!("{what}: {} values are not ({rows}, {width})", data.len());
    }
    Ok(())
}

/// Rows of `width` values in `data`.
pub(crate) fn count(what: &str, data: &[f32], width: usize) -> Result<usize> {
    if width == 0 || !data.len().is_multiple_of(width) {
        bail!("{what}: {} values are not rows of {width}", data.len());
    }
    Ok(data.len() / width)
}

/// `out[i] = table[ids[i]]`: embedding rows of `width` values. `out` is (ids, width).
///
/// # Errors
///
/// If `table` is not rows of `width`, `out` does not have a row per id, or an id has no row.
pub fn gather_rows(table: &[f32], width: usize, ids: &[u32], out: &mut [f32]) -> Result<()> {
    each_row("gather_rows", table, width, ids, out, |to, from| to.copy_from_slice(from))
}

/// `out[i] += table[ids[i]]`: adds position embeddings to token embeddings.
///
/// # Errors
///
/// As [`gather_rows`].
pub fn gather_add_rows(table: &[f32], width: usize, ids: &[u32], out: &mut [f32]) -> Result<()> {
    each_row("gather_add_rows", table, width, ids, out, |to, from| {
        for (to, from) in to.iter_mut().zip(from) {
            *to += from;
        }
    })
}

fn each_row(
    what: &str,
    table: &[f32],
    width: usize,
    ids: &[u32],
    out: &mut [f32],
    write: impl Fn(&mut [f32], &[f32]),
) -> Result<()> {
    let rows = count(what, table, width)?;
    check_dense(what, out, ids.len(), width)?;
    if let Some((i, id)) = ids.iter().enumerate().find(|(_, id)| **id as usize >= rows) {
        bail!("{what}: id {id} at index {i} is outside of a table of ({rows}, {width})");
    }
    for (to, &id) in out.chunks_exact_mut(width).zip(ids) {
        write(to, &table[id as usize * width..][..width]);
    }
    Ok(())
}

/// `x += y`, element by element: the residual connection.
///
/// # Errors
///
/// If the lengths differ.
pub fn add_assign(x: &mut [f32], y: &[f32]) -> Result<()> {
    /// Elements per task; small enough for the first level cache.
    const CHUNK: usize = 4096;
    if x.len() != y.len() {
        bail!("add_assign: {} values and {} values", x.len(), y.len());
    }
    let (tasks, cost, shared) = (x.len().div_ceil(CHUNK), x.len(), Shared::new(x));
    parallel::for_each(tasks, cost, |task| {
        let y = &y[task * CHUNK..];
        let y = &y[..y.len().min(CHUNK)];
        // SAFETY: chunks do not overlap, and each is one task's.
        let x = unsafe { shared.part(task * CHUNK, y.len()) };
        for (x, y) in x.iter_mut().zip(y) {
            *x += y;
        }
    });
    Ok(())
}

/// `out[i][offset + j] += scale * update[i][j]`: adds the update of a low-rank adapter (Hu et al.
/// 2021, <https://arxiv.org/abs/2106.09685>) to the columns of one projection among several.
///
/// `out` is (rows, stride), `update` is (rows, columns).
///
/// # Errors
///
/// If the slices do not have as many such rows, or the columns do not fit a row.
pub fn add_scaled_columns(
    out: &mut [f32],
    stride: usize,
    offset: usize,
    update: &[f32],
    columns: usize,
    scale: f32,
) -> Result<()> {
    let rows = count("add_scaled_columns: update", update, columns)?;
    check_dense("add_scaled_columns: output", out, rows, stride)?;
    if offset > stride || columns > stride - offset {
        bail!("add_scaled_columns: {columns} columns from column {offset} of {stride}");
    }
    let out = Shared::new(out);
    parallel::for_each(rows, update.len(), |row| {
        // SAFETY: rows do not overlap, and each is one task's.
        let out = unsafe { out.part(row * stride + offset, columns) };
        for (out, update) in out.iter_mut().zip(&update[row * columns..]) {
            *out += scale * update;
        }
    });
    Ok(())
}
