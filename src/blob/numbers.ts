// Numbers with the names and values of wincrypt.h. Sealing needs some of them, and no more of this room.

/** Kinds of key BLOB (BLOBHEADER.bType). */
export const SIMPLEBLOB = 0x1;
export const PUBLICKEYBLOB = 0x6;
export const PRIVATEKEYBLOB = 0x7;
export const PLAINTEXTKEYBLOB = 0x8;
export const OPAQUEKEYBLOB = 0x9;
export const SYMMETRICWRAPKEYBLOB = 0xb;

/** BLOBHEADER.bVersion. */
export const CUR_BLOB_VERSION = 2;

export const CALG_DES = 0x6601;
export const CALG_RC2 = 0x6602;
export const CALG_3DES = 0x6603;
export const CALG_3DES_112 = 0x6609;
export const CALG_AES_128 = 0x660e;
export const CALG_AES_192 = 0x660f;
export const CALG_AES_256 = 0x6610;
export const CALG_RC4 = 0x6801;
export const CALG_RSA_KEYX = 0xa400;
export const CALG_RSA_SIGN = 0x2400;
export const CALG_SHA1 = 0x8004;
export const CALG_HMAC = 0x8009;
