/** The core with AES alone, a single part (parts.ts); the build writes it beside the compiled code. */
export declare const text: string;
