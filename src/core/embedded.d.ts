/** The core's WebAssembly, gzipped and in base64; the build writes embedded.js beside the compiled code. */
export declare const embedded: string;
