//! Large tables of zeros.

/// Zeroed by the allocator, so that untouched pages cost nothing.
#[cfg(not(larder_loom))]
pub(super) fn zeroed<T: bytemuck::Zeroable>(len: usize) -> Box<[T]> {
    bytemuck::zeroed_slice_box(len)
}

#[cfg(larder_loom)]
pub(super) fn zeroed<T: Default>(len: usize) -> Box<[T]> {
    std::iter::repeat_with(T::default).take(len).collect()
}
