/** The openers' script (opener-worker.ts, bundled); the build writes opener-script.js beside the compiled code. */
export declare const script: string;
