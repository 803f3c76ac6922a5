/*
 * A CryptoAPI program that does what a file tells it: calls of Advapi32, one a line.
 *
 *   driver.exe COMMANDS ANSWERS
 *
 * COMMANDS has one command a line, its words separated by one space; ANSWERS gets one line for each.
 * Both are files and not pipes: under Wine the first program's background services inherit its
 * standard output, and whoever reads it to the end would wait for them.
 *
 *   generate SLOT ALGID FLAGS          CryptGenKey
 *   import   SLOT BLOB UNDER FLAGS     CryptImportKey; UNDER is the slot of the key that opens BLOB
 *   export   SLOT UNDER TYPE FLAGS     CryptExportKey; UNDER is the slot of the key to wrap for
 *   derive   SLOT HASH ALGID FLAGS BYTES   CryptCreateHash, CryptHashData of the BYTES, CryptDeriveKey
 *   set      SLOT PARAM BYTES          CryptSetKeyParam; a DWORD is four bytes, little-endian
 *   salt     SLOT BYTES                CryptSetKeyParam of KP_SALT_EX, which takes the bytes with their length
 *   encrypt  SLOT BYTES                CryptEncrypt of the whole message
 *   decrypt  SLOT BYTES                CryptDecrypt of the whole message
 *   destroy  SLOT                      CryptDestroyKey
 *
 * SLOT is a number from 0 to 255 that the commands give to a key. Numbers are as C writes them; BLOB
 * and BYTES are hexadecimal; "-" is no key and no bytes. Answers are "ok", "ok BYTES", the name of the
 * provider's error ("NTE_BAD_DATA", or "error 0x..." if it has no name here), or "mistake: ..." for a
 * command that asks for nothing possible. The program ends with 0 if every line has its answer.
 */
#include <windows.h>
#include <wincrypt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 256
#define WORDS 6
/* CryptEncrypt pads in place, by one block at most. */
#define ROOM_FOR_PADDING 16

struct bytes {
  BYTE *data;
  DWORD length;
};

static HCRYPTPROV provider;
static HCRYPTKEY keys[SLOTS];
static FILE *answers;

static void die(const char *what)
{
  fprintf(stderr, "driver: %s (error %lu)\n", what, (unsigned long)GetLastError());
  exit(1);
}

static void *need(size_t size)
{
  void *memory = calloc(1, size ? size : 1);
  if (memory == NULL) die("out of memory");
  return memory;
}

static void answer(const char *format, ...)
{
  va_list list;
  va_start(list, format);
  vfprintf(answers, format, list);
  va_end(list);
  fputc('\n', answers);
  fflush(answers); /* so that a crash shows at which command */
}

static void answer_bytes(const BYTE *data, DWORD length)
{
  DWORD i;
  fputs("ok ", answers);
  for (i = 0; i < length; i++) fprintf(answers, "%02x", data[i]);
  if (length == 0) fputc('-', answers);
  answer("");
}

/* The last error by its name in winerror.h. */
static void answer_error(void)
{
  static const struct {
    DWORD code;
    const char *name;
  } names[] = {
    { (DWORD)NTE_BAD_KEY, "NTE_BAD_KEY" },
    { (DWORD)NTE_BAD_LEN, "NTE_BAD_LEN" },
    { (DWORD)NTE_BAD_DATA, "NTE_BAD_DATA" },
    { (DWORD)NTE_BAD_VER, "NTE_BAD_VER" },
    { (DWORD)NTE_BAD_ALGID, "NTE_BAD_ALGID" },
    { (DWORD)NTE_BAD_FLAGS, "NTE_BAD_FLAGS" },
    { (DWORD)NTE_BAD_TYPE, "NTE_BAD_TYPE" },
    { (DWORD)NTE_BAD_KEY_STATE, "NTE_BAD_KEY_STATE" },
    { (DWORD)NTE_NO_KEY, "NTE_NO_KEY" },
    { (DWORD)NTE_BAD_PUBLIC_KEY, "NTE_BAD_PUBLIC_KEY" },
    { (DWORD)NTE_FAIL, "NTE_FAIL" },
    { ERROR_INVALID_PARAMETER, "ERROR_INVALID_PARAMETER" },
    { ERROR_MORE_DATA, "ERROR_MORE_DATA" },
  };
  DWORD error = GetLastError();
  size_t i;
  for (i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (names[i].code == error) {
      answer("%s", names[i].name);
      return;
    }
  }
  answer("error 0x%08lx", (unsigned long)error);
}

static BOOL read_number(const char *word, DWORD *number)
{
  char *end;
  *number = strtoul(word, &end, 0);
  return *word != '\0' && *word != '-' && *end == '\0';
}

static BOOL read_slot(const char *word, DWORD *slot)
{
  return read_number(word, slot) && *slot < SLOTS;
}

/* The key in a slot, 0 for "-". */
static BOOL read_key(const char *word, HCRYPTKEY *key)
{
  DWORD slot;
  *key = 0;
  if (strcmp(word, "-") == 0) return TRUE;
  if (!read_slot(word, &slot)) return FALSE;
  *key = keys[slot];
  return *key != 0;
}

static int digit(char c)
{
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

/* Memory for the bytes and a block more; the caller frees it. */
static BOOL read_bytes(const char *word, struct bytes *bytes)
{
  size_t i, length = strcmp(word, "-") == 0 ? 0 : strlen(word);
  bytes->data = NULL;
  if (length % 2 != 0 || strspn(word, "0123456789abcdef") < length) return FALSE;
  bytes->length = length / 2;
  bytes->data = need(bytes->length + ROOM_FOR_PADDING);
  for (i = 0; i < length / 2; i++) {
    bytes->data[i] = digit(word[2 * i]) << 4 | digit(word[2 * i + 1]);
  }
  return TRUE;
}

static void destroy(DWORD slot)
{
  if (keys[slot] != 0 && !CryptDestroyKey(keys[slot])) die("CryptDestroyKey");
  keys[slot] = 0;
}

/* Puts a new key into its slot, or leaves the slot empty if there is none. */
static void put(DWORD slot, BOOL made, HCRYPTKEY key)
{
  if (made) answer("ok");
  else answer_error();
  destroy(slot);
  if (made) keys[slot] = key;
}

static void export_key(HCRYPTKEY key, HCRYPTKEY under, DWORD type, DWORD flags)
{
  struct bytes blob = { NULL, 0 };
  if (CryptExportKey(key, under, type, flags, NULL, &blob.length)) {
    blob.data = need(blob.length);
    if (CryptExportKey(key, under, type, flags, blob.data, &blob.length)) {
      answer_bytes(blob.data, blob.length);
      free(blob.data);
      return;
    }
  }
  answer_error();
  free(blob.data);
}

/* A key from a password, as programs make one of its hash. */
static BOOL derive_key(DWORD hash_id, DWORD key_id, DWORD flags, const struct bytes *bytes,
                       HCRYPTKEY *key)
{
  HCRYPTHASH hash;
  DWORD error;
  BOOL done;
  if (!CryptCreateHash(provider, hash_id, 0, 0, &hash)) return FALSE;
  done = CryptHashData(hash, bytes->data, bytes->length, 0)
    && CryptDeriveKey(provider, key_id, hash, flags, key);
  error = GetLastError();
  CryptDestroyHash(hash);
  SetLastError(error);
  return done;
}

/* The commands that take bytes. FALSE, without an answer, if the words make none of them. */
static BOOL run_with_bytes(char **word, int words, DWORD slot, struct bytes *bytes)
{
  HCRYPTKEY under, key = 0;
  CRYPT_DATA_BLOB salt;
  DWORD number, algorithm, flags;
  BOOL done;
  if (!strcmp(word[0], "derive") && words == 6) {
    if (!read_number(word[2], &number) || !read_number(word[3], &algorithm)) return FALSE;
    if (!read_number(word[4], &flags)) return FALSE;
    done = derive_key(number, algorithm, flags, bytes, &key);
    put(slot, done, key);
  } else if (!strcmp(word[0], "import") && words == 5) {
    if (!read_key(word[3], &under) || !read_number(word[4], &number)) return FALSE;
    done = CryptImportKey(provider, bytes->data, bytes->length, under, number, &key);
    put(slot, done, key);
  } else if (keys[slot] == 0) {
    return FALSE;
  } else if (!strcmp(word[0], "set") && words == 4) {
    if (!read_number(word[2], &number)) return FALSE;
    if (CryptSetKeyParam(keys[slot], number, bytes->data, 0)) answer("ok");
    else answer_error();
  } else if (!strcmp(word[0], "salt") && words == 3) {
    salt.cbData = bytes->length;
    salt.pbData = bytes->data;
    if (CryptSetKeyParam(keys[slot], KP_SALT_EX, (const BYTE *)&salt, 0)) answer("ok");
    else answer_error();
  } else if (!strcmp(word[0], "encrypt") && words == 3) {
    number = bytes->length + ROOM_FOR_PADDING;
    done = CryptEncrypt(keys[slot], 0, TRUE, 0, bytes->data, &bytes->length, number);
    if (done) answer_bytes(bytes->data, bytes->length);
    else answer_error();
  } else if (!strcmp(word[0], "decrypt") && words == 3) {
    done = CryptDecrypt(keys[slot], 0, TRUE, 0, bytes->data, &bytes->length);
    if (done) answer_bytes(bytes->data, bytes->length);
    else answer_error();
  } else {
    return FALSE;
  }
  return TRUE;
}

/* Runs one command and answers it; FALSE, without an answer, if it makes no sense. */
static BOOL run(char **word, int words)
{
  struct bytes bytes;
  HCRYPTKEY under, key = 0;
  DWORD slot, number, flags;
  BOOL done;
  if (words < 2 || !read_slot(word[1], &slot)) return FALSE;
  if (!strcmp(word[0], "destroy") && words == 2) {
    destroy(slot);
    answer("ok");
    return TRUE;
  }
  if (!strcmp(word[0], "generate") && words == 4) {
    if (!read_number(word[2], &number) || !read_number(word[3], &flags)) return FALSE;
    done = CryptGenKey(provider, number, flags, &key);
    put(slot, done, key);
    return TRUE;
  }
  if (!strcmp(word[0], "export") && words == 5) {
    if (keys[slot] == 0 || !read_key(word[2], &under)) return FALSE;
    if (!read_number(word[3], &number) || !read_number(word[4], &flags)) return FALSE;
    export_key(keys[slot], under, number, flags);
    return TRUE;
  }
  if (words < 3) return FALSE;
  number = !strcmp(word[0], "derive") ? 5 : !strcmp(word[0], "set") ? 3 : 2;
  if (number >= (DWORD)words || !read_bytes(word[number], &bytes)) return FALSE;
  done = run_with_bytes(word, words, slot, &bytes);
  free(bytes.data);
  return done;
}

/* Cuts a line into its words. */
static void run_line(char *line)
{
  char *word[WORDS];
  int words = 0;
  char *next = strtok(line, " ");
  for (; next != NULL && words < WORDS; next = strtok(NULL, " ")) word[words++] = next;
  if (next != NULL || words == 0 || !run(word, words)) {
    answer("mistake: %s", words ? word[0] : "empty line");
  }
}

static char *read_file(const char *path)
{
  FILE *file = fopen(path, "rb");
  long size;
  char *text;
  if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) die(path);
  rewind(file);
  text = need(size + 1);
  if (fread(text, 1, size, file) != (size_t)size) die(path);
  fclose(file);
  return text;
}

int main(int argc, char **argv)
{
  char *text, *line, *end;
  DWORD slot;
  if (argc != 3) die("usage: driver.exe COMMANDS ANSWERS");
  if (!CryptAcquireContextA(&provider, NULL, NULL, PROV_RSA_AES, CRYPT_VERIFYCONTEXT)) {
    die("CryptAcquireContext");
  }
  text = read_file(argv[1]);
  answers = fopen(argv[2], "wb");
  if (answers == NULL) die(argv[2]);
  for (line = text; *line != '\0'; line = end) {
    end = strchr(line, '\n');
    if (end == NULL) end = line + strlen(line);
    else *end++ = '\0';
    run_line(line);
  }
  for (slot = 0; slot < SLOTS; slot++) destroy(slot);
  free(text);
  if (!CryptReleaseContext(provider, 0)) die("CryptReleaseContext");
  if (fclose(answers) != 0) die(argv[2]);
  return 0;
}
