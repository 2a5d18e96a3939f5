/** How the elements of a tensor lie in memory. */
export type MemoryFormat = 'contiguous' | 'preserve' | 'channels_last' | 'channels_last_3d';

/** How the elements of a tensor are stored. */
export type Layout = 'strided' | 'sparse_coo';
