//! Wide vectors where the machine has them, and sums that can use them.

/// Compiles a function twice, for the target's baseline and for AVX2, and picks at run time.
///
/// The workspace is built for baseline x86-64, whose vectors hold four floats. What the body calls
/// must be `#[inline(always)]` to be compiled for the wider ones. Both versions compute the same
/// bits: the compiler neither contracts nor reorders floating-point operations.
macro_rules! vectorised {
    (
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident $(<$generic:ident: $bound:path>)? (
            $($argument:ident: $kind:ty),* $(,)?
        ) $(-> $output:ty)? $body:block
    ) => {
        $(#[$attribute])*
        $visibility fn $name $(<$generic: $bound>)? ($($argument: $kind),*) $(-> $output)? {
            #[inline(always)]
            fn baseline $(<$generic: $bound>)? ($($argument: $kind),*) $(-> $output)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2 $(<$generic: $bound>)? ($($argument: $kind),*) $(-> $output)? {
                    baseline $(::<$generic>)? ($($argument),*)
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has AVX2.
                    return unsafe { avx2 $(::<$generic>)? ($($argument),*) };
                }
            }
            baseline $(::<$generic>)? ($($argument),*)
        }
    };
}
pub(crate) use vectorised;

/// Independent accumulators of a reduction: floating-point addition does not associate, so without
/// them the compiler must add one element after the other.
const LANES: usize = 32;

/// `sum(f(a[i], b[i]))` over slices of one length.
#[inline(always)]
pub(crate) fn sum_of_pairs(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let (a, a_tail) = a.as_chunks::<LANES>();
    let (b, b_tail) = b.as_chunks::<LANES>();
    let mut lanes = [0f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            lanes[lane] += f(a[lane], b[lane]);
        }
    }
    let mut total = 0f32;
    for (&a, &b) in a_tail.iter().zip(b_tail) {
        total += f(a, b);
    }
    total + halve(lanes, |a, b| a + b)
}

/// `sum(f(a[i]))`.
#[inline(always)]
pub(crate) fn sum_of(a: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    sum_of_pairs(a, a, |a, _| f(a))
}

/// `sum(a[i] * b[i])` over slices of one length.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    sum_of_pairs(a, b, |a, b| a * b)
}

/// The largest element; negative infinity for none.
#[inline(always)]
pub(crate) fn max(a: &[f32]) -> f32 {
    // Not `f32::max`: its care for NaN costs two more instructions an element.
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (chunks, tail) = a.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] = larger(lanes[lane], chunk[lane]);
        }
    }
    tail.iter().fold(halve(lanes, larger), |a, &b| larger(a, b))
}

#[inline(always)]
fn halve(mut lanes: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = f(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reductions_take_every_element() {
        for length in [0usize, 1, 31, 32, 33, 100] {
            let a: Vec<f32> = (0..length).map(|i| i as f32).collect();
            let expected = (length * length.saturating_sub(1) / 2) as f32;
            assert_eq!(sum_of(&a, |a| a), expected);
            assert_eq!(dot(&a, &vec![2.0; length]), 2.0 * expected);
            assert_eq!(max(&a), a.last().copied().unwrap_or(f32::NEG_INFINITY));
        }
    }
}
