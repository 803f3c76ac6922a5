/** Like embedded.d.ts, for the core with AES alone. */
export declare const embedded: string;
