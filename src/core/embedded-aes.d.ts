/** As embedded.d.ts has it, of the core that has AES alone. */
export declare const embedded: string;
