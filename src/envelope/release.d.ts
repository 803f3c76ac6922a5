/** The version and a hash of the core; the build writes release.js beside the compiled code. */
export declare const release: string;
