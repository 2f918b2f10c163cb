//! Matrix products straight from and into strided views.

use gemm::Parallelism;

/// A view of a matrix in a slice.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A contiguous row-major matrix.
    pub(crate) fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// A row-major matrix whose rows begin `row_stride` elements apart.
    pub(crate) fn strided(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(reach(rows, columns, row_stride) <= data.len(), "a view past the end of its data");
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// The transposed view.
    pub(crate) fn t(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Rows and columns.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// One row of a row-major view.
    pub(crate) fn row(&self, row: usize) -> &'a [f32] {
        assert!(self.column_stride == 1 && row < self.rows, "a row past the end");
        &self.data[row * self.row_stride..][..self.columns]
    }

    /// `count` rows from `start` on of a row-major view.
    pub(crate) fn rows(self, start: usize, count: usize) -> Self {
        assert!(self.column_stride == 1 && start + count <= self.rows, "rows past the end");
        let begin = (start * self.row_stride).min(self.data.len());
        Self { data: &self.data[begin..], rows: count, ..self }
    }

    /// The first `count` columns of a row-major view.
    pub(crate) fn columns(self, count: usize) -> Self {
        assert!(self.column_stride == 1 && count <= self.columns, "columns past the end");
        Self { columns: count, ..self }
    }
}

/// Elements from the first to the last of a row-major view, both included.
fn reach(rows: usize, columns: usize, row_stride: usize) -> usize {
    if rows == 0 || columns == 0 { 0 } else { (rows - 1) * row_stride + columns }
}

/// Who computes a product: the calling thread alone, or rayon's whole pool.
#[derive(Clone, Copy)]
pub(crate) enum Threads {
    One,
    Pool,
}

/// What becomes of the destination's old values.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Old {
    Overwrite,
    Keep,
}

/// `a b`, by the whole pool.
pub(crate) fn product(a: Matrix<'_>, b: Matrix<'_>) -> Vec<f32> {
    let len = a.rows * b.columns;
    let mut values: Vec<f32> = Vec::with_capacity(len);
    // SAFETY: the capacity is that of a contiguous `a.rows x b.columns` matrix.
    unsafe {
        multiply_raw(values.as_mut_ptr(), b.columns, Old::Overwrite, 1.0, a, b, Threads::Pool);
    }
    // SAFETY: the product has written every element.
    unsafe { values.set_len(len) };
    values
}

/// `destination = scale a b`, plus the old destination where it is kept. `destination` is contiguous.
pub(crate) fn multiply(
    destination: &mut [f32],
    old: Old,
    scale: f32,
    a: Matrix<'_>,
    b: Matrix<'_>,
    threads: Threads,
) {
    assert!(a.rows * b.columns <= destination.len(), "a product past the end of its destination");
    // SAFETY: a contiguous `a.rows x b.columns` matrix fits, by the line above.
    unsafe { multiply_raw(destination.as_mut_ptr(), b.columns, old, scale, a, b, threads) }
}

/// # Safety
/// `destination` must be valid for writes at `row * row_stride + column` for every row of `a` and
/// column of `b`, for reads too if `old` is kept, and be no part of `a` or `b`.
unsafe fn multiply_raw(
    destination: *mut f32,
    row_stride: usize,
    old: Old,
    scale: f32,
    a: Matrix<'_>,
    b: Matrix<'_>,
    threads: Threads,
) {
    assert_eq!(a.columns, b.rows, "factors that do not fit");
    let parallelism = match threads {
        Threads::One => Parallelism::None,
        Threads::Pool => Parallelism::Rayon(0),
    };
    // SAFETY: both views were checked against their slices when they were made; the destination is
    // the caller's promise.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            destination,
            1,
            row_stride as isize,
            old == Old::Keep,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            if old == Old::Keep { 1.0 } else { 0.0 },
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_multiply_as_their_copies_would() {
        // 2 x 3 inside rows of 4, times its own transpose.
        let data = [1., 2., 3., 9., 4., 5., 6., 9.];
        let a = Matrix::strided(&data, 2, 3, 4);
        assert_eq!(product(a, a.t()), [14., 32., 32., 77.]);
        let mut sum = [1f32; 2];
        multiply(&mut sum, Old::Keep, 2.0, a.rows(1, 1), a.t(), Threads::One);
        assert_eq!(sum, [65., 155.]);
        assert_eq!(product(a.columns(2).t(), a.columns(1)), [17., 22.]);
    }

    #[test]
    fn an_empty_inner_dimension_gives_zeros() {
        assert_eq!(product(Matrix::new(&[], 1, 0), Matrix::new(&[], 0, 2)), [0., 0.]);
    }
}
