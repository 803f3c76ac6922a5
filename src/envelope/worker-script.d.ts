/** The worker's script (worker.ts, bundled); the build writes worker-script.js beside the compiled code. */
export declare const script: string;
