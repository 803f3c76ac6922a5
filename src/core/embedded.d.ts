/** This part of the core's WebAssembly (parts.ts); the build writes it beside the compiled code. */
export declare const text: string;
