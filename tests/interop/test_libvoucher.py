"""libvoucher as a C program finds it: installed into a prefix, linked by gcc, static and shared; the `openssl` program reads
what it signs, and it reads what `openssl` signs. Needs no root.

The library is built from this tree with g++, as it is shipped, unless CAHN_LIBVOUCHER_BUILD names a build of it.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ROOT / "tests" / "interop" / "libvoucher"
SYMBOLS = (ROOT / "src" / "voucher" / "c_api" / "libvoucher.symbols").read_text().split()
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]

# L1047-1374, L1652-2168; both names where the document has two (decision 70).
DOCUMENT = """copy_binary_array compare_binary_array free_binary_array_content free_binary_array init_array_list free_array_list
free_buffer_list push_array_list push_buffer_list sign_pledge_voucher_request sign_voucher_request sign_masa_pledge_voucher
verify_masa_pledge_voucher init_voucher free_voucher set_attr_bool_voucher set_attr_time_voucher set_attr_enum_voucher
set_attr_str_voucher set_attr_array_voucher set_attr_voucher clear_attr_voucher is_attr_voucher_nonempty get_attr_bool_voucher
get_attr_time_voucher get_attr_enum_voucher get_attr_str_voucher get_attr_array_voucher serialize_voucher deserialize_voucher
sign_eccms_voucher sign_rsacms_voucher sign_cms_voucher verify_cms_voucher""".split()

OPENSSL_CONFIG = """[req]
distinguished_name = dn
[dn]
"""


def run(*argv, check=True, **options):
    options = {"timeout": 120, **options}
    done = subprocess.run([str(a) for a in argv], capture_output=True, check=False, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout.decode(errors='replace')}\n"
                             f"{done.stderr.decode(errors='replace')}")
    return done


def build():
    """A build folder that holds libvoucher."""
    given = os.environ.get("CAHN_LIBVOUCHER_BUILD")
    if given:
        return pathlib.Path(given)
    run("cmake", "--preset", "release", cwd=ROOT, timeout=300)
    run("cmake", "--build", "--preset", "release", "--target", "libvoucher", cwd=ROOT, timeout=1100)
    return ROOT / "build" / "release"


class Parties:
    """The certificates and keys of an exchange, made by `openssl`, in one folder: NAME.der, NAME.key.der, NAME.pem, NAME.key."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        (folder / "openssl.cnf").write_text(OPENSSL_CONFIG)
        ca = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"]
        for name in ("maker-ca", "domain-ca", "masa-ca"):
            self.issue(name, f"/CN={name}", None, ca)
        self.issue("pledge", "/CN=pledge/serialNumber=acme-0001", "maker-ca", [])
        self.issue("registrar", "/CN=registrar", "domain-ca", ["extendedKeyUsage=1.3.6.1.5.5.7.3.28"])
        self.issue("masa", "/CN=masa", "masa-ca", [], key=["-newkey", "rsa:2048"])
        # A key in each of the forms: SEC 1, PKCS#8, PKCS#1.
        self.openssl("ec", "-in", "pledge.key", "-outform", "DER", "-out", "pledge.key.der")
        self.openssl("pkcs8", "-topk8", "-nocrypt", "-in", "registrar.key", "-outform", "DER", "-out", "registrar.key.der")
        self.openssl("rsa", "-traditional", "-in", "masa.key", "-outform", "DER", "-out", "masa.key.der")
        (folder / "pledge-issuer.der").write_bytes(self.authority_key_identifier("pledge.der"))

    def openssl(self, *argv, check=True):
        return run("openssl", *argv, cwd=self.folder, check=check)

    def issue(self, name, subject, issuer, extensions, key=("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
        signer = ["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key"] if issuer else []
        added = [word for extension in ["subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid", *extensions]
                 for word in ("-addext", extension)]
        self.openssl("req", "-x509", "-config", "openssl.cnf", *key, "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem",
                     "-days", "30", "-subj", subject, *signer, *added)
        self.openssl("x509", "-in", f"{name}.pem", "-outform", "DER", "-out", f"{name}.der")

    def authority_key_identifier(self, certificate):
        """The DER in the certificate's extension 2.5.29.35."""
        der = (self.folder / certificate).read_bytes()
        at = der.index(bytes.fromhex("0603551d23")) + 5
        length = der[at + 1]
        assert der[at] == 0x04, "an OCTET STRING follows the OID"
        return der[at + 2:at + 2 + length]

    def content_of(self, message, signer_ca):
        self.openssl("cms", "-verify", "-inform", "DER", "-binary", "-in", message, "-purpose", "any", "-CAfile",
                     f"{signer_ca}.pem", "-out", "content.json")
        return (self.folder / "content.json").read_text()


class Libvoucher(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="cahn-libvoucher-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.prefix = cls.folder / "prefix"
        run("cmake", "--install", build(), "--component", "libvoucher", "--prefix", cls.prefix)
        cls.archive = cls.prefix / "lib" / "libvoucher.a"
        cls.shared = cls.prefix / "lib" / "libvoucher.so.1"
        cls.environment = {**os.environ, "PKG_CONFIG_PATH": str(cls.prefix / "lib" / "pkgconfig"),
                           "LD_LIBRARY_PATH": str(cls.prefix / "lib")}
        cls.parties = Parties(cls.folder / "parties")
        # The voucher that some programs read.
        flow = cls.compiled_statically("flow.c", "first-flow")
        run(flow, cls.parties.folder)

    @classmethod
    def compiled_statically(cls, source, name, compiler=("gcc",), flags=()):
        program = cls.folder / name
        run(*compiler, *WARNINGS, *flags, f"-I{cls.prefix / 'include' / 'voucher'}", SOURCES / source, cls.archive,
            "-lcrypto", "-lssl", "-o", program)
        return program

    def compiled_by_pkg_config(self, source, name):
        flags = run("pkg-config", "--cflags", "--libs", "libvoucher", env=self.environment).stdout.decode().split()
        program = self.folder / name
        run("gcc", *WARNINGS, f"-I{self.prefix / 'include' / 'voucher'}", SOURCES / source, *flags, "-o", program)
        return program

    def test_both_libraries_show_the_functions_of_the_headers_and_nothing_else(self):
        headers = "".join(p.read_text() for p in sorted((self.prefix / "include" / "voucher").glob("*.h")))
        code = re.sub(r"^\s*#.*$", "", headers, flags=re.MULTILINE)
        declared = set(re.findall(r"VOUCHER_API[^;(]*?\b(\w+)\(", code))
        self.assertEqual(sorted(declared), sorted(SYMBOLS))
        self.assertEqual([], [name for name in DOCUMENT if name not in SYMBOLS])
        shown = run("nm", "--dynamic", "--defined-only", self.shared).stdout.decode()
        self.assertEqual(sorted(re.findall(r" [A-Za-z] (\S+)@@VOUCHER_1\.0$", shown, re.MULTILINE)), sorted(SYMBOLS))
        self.assertEqual(len(re.findall(r" [B-TV-Zb-z] ", shown)), len(SYMBOLS) + shown.count(" A VOUCHER_1.0"))
        shown = run("nm", "--extern-only", "--defined-only", self.archive).stdout.decode()
        self.assertEqual(sorted(re.findall(r"^[0-9a-f]+ (\w) (\S+)$", shown, re.MULTILINE)),
                         sorted(("T", name) for name in SYMBOLS))

    def test_the_archive_wants_nothing_of_a_cxx_runtime(self):
        wanted = run("nm", "--undefined-only", self.archive).stdout.decode()
        strong = re.findall(r"^\s+U (\S+)$", wanted, re.MULTILINE)
        self.assertIn("CMS_sign", strong)
        self.assertEqual([], [name for name in strong if re.match(r"_Z|__cxa_(?!atexit)|__gxx", name)])

    def test_the_headers_are_c_and_cxx_of_either_compiler(self):
        for include, words in (("voucher/voucher.h", "include"), ("voucher.h", "include/voucher")):
            for compiler in ("gcc", "clang-19"):
                for language, standard in (("c", "c99"), ("c", "c11"), ("c", "gnu17"), ("c++", "c++11"), ("c++", "c++20")):
                    run(compiler, "-x", language, f"-std={standard}", *WARNINGS, f"-I{self.prefix / words}", "-fsyntax-only", "-",
                        input=f"#include <{include}>\nint main(void) {{ return 0; }}\n".encode())

    def test_each_header_stands_alone(self):
        for header in sorted((self.prefix / "include" / "voucher").glob("*.h")):
            run("gcc", "-x", "c", *WARNINGS, f"-I{self.prefix / 'include'}", "-fsyntax-only", "-",
                input=f"#include <voucher/{header.name}>\nextern int used;\n".encode())

    def test_a_result_that_is_dropped_is_an_error(self):
        for call in ("init_voucher()", "init_array_list()", "serialize_voucher(0)", "sign_cms_voucher(0, 0, 0, 0)"):
            done = run("gcc", "-x", "c", "-Werror=unused-result", f"-I{self.prefix / 'include'}", "-c", "-", "-o", "/dev/null",
                       input=f"#include <voucher/voucher.h>\nvoid f(void) {{ {call}; }}\n".encode(), check=False)
            self.assertNotEqual(done.returncode, 0, call)
            self.assertIn(b"unused-result", done.stderr)

    def expect_examples(self, program, environment=None):
        said = run(program, self.parties.folder, env=environment).stdout.decode()
        self.assertEqual(said, 'serial number 12345\n{"ietf-voucher-request:voucher":{"assertion":"proximity"}}\nnonce nonce\n'
                               "a certificate\na certificate\n")

    def test_the_documents_examples_link_by_its_cmake_file(self):
        project = self.folder / "project"
        project.mkdir()
        shutil.copy(SOURCES / "document_CMakeLists.txt", project / "CMakeLists.txt")
        for name in ("libtest.c", "files.h"):
            shutil.copy(SOURCES / name, project)
        (project / "include").symlink_to(self.prefix / "include")
        (project / "lib").symlink_to(self.prefix / "lib")
        run("cmake", "-S", project, "-B", project / "build")
        run("cmake", "--build", project / "build")
        self.expect_examples(project / "build" / "libtest")

    def test_the_documents_examples_link_by_the_cmake_package_both_ways(self):
        project = self.folder / "package"
        project.mkdir()
        shutil.copy(SOURCES / "package_CMakeLists.txt", project / "CMakeLists.txt")
        (project / "libtest.c").write_text((SOURCES / "libtest.c").read_text())
        # The programs of this folder include <voucher.h>; the package's users <voucher/voucher.h>.
        (project / "files.h").write_text((SOURCES / "files.h").read_text().replace("<voucher.h>", "<voucher/voucher.h>"))
        run("cmake", "-S", project, "-B", project / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", project / "build")
        self.expect_examples(project / "build" / "libtest-Voucher")
        self.expect_examples(project / "build" / "libtest-Static")
        needed = run("readelf", "-d", project / "build" / "libtest-Voucher").stdout.decode()
        self.assertIn("[libvoucher.so.1]", needed)

    def test_the_documents_examples_link_by_pkg_config(self):
        self.expect_examples(self.compiled_by_pkg_config("libtest.c", "libtest-pkg-config"), self.environment)

    def test_pkg_config_knows_version_and_folders(self):
        self.assertEqual(run("pkg-config", "--modversion", "libvoucher", env=self.environment).stdout, b"1.0.0\n")
        said = run("pkg-config", "--static", "--libs", "libvoucher", env=self.environment).stdout.decode()
        self.assertIn("-lvoucher", said)
        self.assertIn("-lcrypto", said)

    def test_a_static_program_needs_only_libcrypto_and_libc(self):
        needed = run("readelf", "-d", self.compiled_statically("libtest.c", "libtest-static")).stdout.decode()
        libraries = set(re.findall(r"\(NEEDED\).*\[(\w+)\.so", needed))
        self.assertLessEqual(libraries, {"libcrypto", "libssl", "libgcc_s", "libc"})

    def test_the_archive_links_by_clang_and_into_a_shared_library(self):
        self.expect_examples(self.compiled_statically("libtest.c", "libtest-clang", compiler=("clang-19",)))
        run("gcc", "-shared", "-o", self.folder / "libplugin.so", "-Wl,--whole-archive", self.archive, "-Wl,--no-whole-archive",
            "-lcrypto", "-Wl,-z,defs")

    def test_the_attributes_pass_through_variable_arguments(self):
        for flags in (("-O0",), ("-O2",)):
            run(self.compiled_statically("attributes.c", "attributes", flags=flags))

    def test_a_cxx_program_keeps_its_own_runtime(self):
        said = run(self.compiled_statically("beside_cxx.cpp", "beside-cxx", compiler=("g++", "-std=c++17"))).stdout.decode()
        self.assertEqual(said.count("\n"), 3)
        self.assertIn("JSON", said)

    def test_an_exchange_signs_what_openssl_verifies(self):
        for program, environment in ((self.compiled_statically("flow.c", "flow-static"), None),
                                     (self.compiled_by_pkg_config("flow.c", "flow-shared"), self.environment)):
            for name in ("pledge.cms", "registrar.cms", "voucher.cms", "pin.der"):
                (self.parties.folder / name).unlink(missing_ok=True)
            run(program, self.parties.folder, env=environment)
            pledge = self.parties.content_of("pledge.cms", "maker-ca")
            self.assertIn('"ietf-voucher-request:voucher"', pledge)
            self.assertIn('"nonce":"MDEyMzQ1Njc4OWFiY2RlZg=="', pledge)
            self.assertIn('"prior-signed-voucher-request":', self.parties.content_of("registrar.cms", "domain-ca"))
            voucher = self.parties.content_of("voucher.cms", "masa-ca")
            self.assertIn('"ietf-voucher:voucher"', voucher)
            self.assertIn('"serial-number":"acme-0001"', voucher)
            self.assertEqual((self.parties.folder / "pin.der").read_bytes(), (self.parties.folder / "domain-ca.der").read_bytes())

    def test_an_exchange_leaks_nothing(self):
        flow = self.compiled_statically("flow.c", "flow-asan", flags=("-g", "-fsanitize=address,undefined"))
        run(flow, self.parties.folder, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1"})
        examples = self.compiled_statically("libtest.c", "libtest-asan", flags=("-g", "-fsanitize=address,undefined"))
        self.expect_examples(examples, {**os.environ, "ASAN_OPTIONS": "detect_leaks=1"})

    def test_openssl_signs_what_it_reads(self):
        folder = self.folder / "signed-by-openssl"
        shutil.copytree(self.parties.folder, folder)
        voucher = self.parties.content_of("voucher.cms", "masa-ca")
        (folder / "voucher.json").write_text(voucher)
        examples = self.compiled_statically("libtest.c", "libtest-openssl")
        for content_type in ("1.2.840.113549.1.9.16.1.40", "1.2.840.113549.1.7.1"):
            run("openssl", "cms", "-sign", "-in", "voucher.json", "-signer", "masa.pem", "-inkey", "masa.key", "-certfile",
                "masa-ca.pem", "-outform", "DER", "-nodetach", "-binary", "-econtent_type", content_type, "-out", "voucher.cms",
                cwd=folder)
            said = run(examples, folder).stdout.decode()
            self.assertEqual(said.count("a certificate"), 2)

    def test_the_guides_program_compiles_and_does_what_it_says(self):
        blocks = re.findall(r"^```c\n(.*?)^```$", (ROOT / "docs" / "libvoucher.md").read_text(), re.MULTILINE | re.DOTALL)
        program = self.folder / "guide"
        self.assertEqual(len(blocks), 1)
        run("gcc", *WARNINGS, f"-I{self.prefix / 'include'}", "-x", "c", "-", "-x", "none", self.archive, "-lcrypto", "-lssl", "-o",
            program, input=blocks[0].encode())
        request = b'{"ietf-voucher-request:voucher":{"serial-number":"12345","nonce":"MDEyMzQ1Njc4OWFiY2RlZg=="}}'
        self.assertEqual(run(program, input=request).stdout, b"serial number 12345\nnonce of 16 octets\n")
        refused = run(program, input=b"{}", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn(b"refused: ", refused.stderr)


if __name__ == "__main__":
    unittest.main()
