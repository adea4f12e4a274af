/**
 * Where the calling thread posts a job and all threads take pieces of it: two arrays in shared memory, outside that of the
 * kernels.
 *
 * A job is cut into slices. `REMAINING` says how many nobody has taken yet; whoever lowers it by n owns the n slices that
 * it stood for, counted from the end, and adds n to `FINISHED` when they are done. The job's description is written
 * before `REMAINING` is raised and stays as it is until all slices are finished, so a thread that owns slices may read it.
 */

/** Words of the control block. Those that many threads write lie on cache lines of their own. */
export const REMAINING = 0;
export const FINISHED = 16;
/** How many workers have started. */
export const READY = 32;
/** How many of them sleep. */
export const PARKED = 33;
/** 1 once a kernel of this job has failed in a worker. */
export const FAILED = 34;
/** 1 while the calling thread sleeps until the job is finished. */
export const WAITING = 35;
export const CONTROL_WORDS = 48;

/** Numbers of a job, float64. Pointers and float32 numbers are exact in it. */
export const KERNEL = 0;
export const UNITS = 1;
/** Units in a slice. */
export const GRAIN = 2;
export const SLICES = 3;
/** Threads that the work is dealt out to. */
export const THREADS = 4;
/** Address of the first thread's scratch, 0 if the kernel takes none, and bytes from there to the next thread's. */
export const SCRATCH = 5;
export const SCRATCH_STRIDE = 6;
export const ARGUMENT_COUNT = 7;
export const ARGUMENTS = 8;
const MOST_ARGUMENTS = 24; // twice what any kernel takes
export const JOB_NUMBERS = ARGUMENTS + MOST_ARGUMENTS;

/**
 * How long a thread looks for work, or for the end of a job, before it sleeps. To look for ever made a busy machine four
 * times slower.
 */
export const SPIN_MS = 0.02;
