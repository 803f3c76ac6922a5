/**
 * Tells one build from another: the version and a hash of the core. The build writes build-id.js beside the compiled
 * code.
 */
export declare const buildId: string;
