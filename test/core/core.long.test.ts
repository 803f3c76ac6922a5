import "./aes.test.js";
import "./gcm.test.js";
import "./rsa.test.js";
import "./rsa-native.test.js";
