#include "client/cli/certificate_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr uint64_t kMaxPemBytes = 1 << 20;
constexpr uint64_t kMaxListBytes = 64 << 20;
constexpr char kServerName[] = "server";

// As WriteFileAtomically, readable by the owner alone from the first byte on.
absl::Status WriteSecret(const std::string& path, const std::string& data) {
  const std::string temporary = path + ".new";
  TW_RETURN_IF_ERROR(RemoveFile(temporary));
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot create ", temporary));
  ::close(fd);
  TW_ASSIGN_OR_RETURN(File file, File::OpenForUpdate(temporary));
  TW_RETURN_IF_ERROR(file.WriteAt(0, data));
  TW_RETURN_IF_ERROR(file.Sync());
  return RenameDurably(temporary, path);
}

absl::StatusOr<PeerRole> RoleByName(absl::string_view name) {
  for (const PeerRole role : {PeerRole::kClient, PeerRole::kOperator, PeerRole::kServer}) {
    if (name == RoleName(role)) return role;
  }
  return absl::InvalidArgumentError(absl::StrCat("'", name, "' is not a role"));
}

std::string LineOf(const IssuedCertificate& issued) {
  return absl::StrCat(issued.serial, " ", RoleName(issued.role), " ", issued.name, " ",
                      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", issued.not_after, absl::UTCTimeZone()), "\n");
}

absl::StatusOr<IssuedCertificate> ParseLine(absl::string_view line) {
  const std::vector<std::string> fields = absl::StrSplit(line, ' ');
  IssuedCertificate issued;
  std::string error;
  if (fields.size() != 4 || !absl::ParseTime("%Y-%m-%dT%H:%M:%SZ", fields[3], &issued.not_after, &error)) {
    return absl::DataLossError(absl::StrCat("'", line, "' is not SERIAL ROLE NAME TIME"));
  }
  TW_ASSIGN_OR_RETURN(issued.serial, NormalSerial(fields[0]));
  TW_ASSIGN_OR_RETURN(issued.role, RoleByName(fields[1]));
  issued.name = fields[2];
  return issued;
}

absl::StatusOr<std::string> ReadIfThere(const std::string& path) {
  if (!FileExists(path)) return std::string();
  return ReadWholeFile(path, kMaxListBytes);
}

absl::Status AppendLine(const std::string& path, const std::string& line) {
  TW_ASSIGN_OR_RETURN(const std::string text, ReadIfThere(path));
  return WriteFileAtomically(path, absl::StrCat(text, line));
}

absl::StatusOr<std::set<std::string>> RevokedSerials(const std::string& path) {
  TW_ASSIGN_OR_RETURN(const std::string text, ReadIfThere(path));
  std::set<std::string> serials;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    TW_ASSIGN_OR_RETURN(std::string serial, NormalSerial(line));
    serials.insert(std::move(serial));
  }
  return serials;
}

}  // namespace

absl::StatusOr<CertificateFolder> CertificateFolder::Create(const std::string& directory, const Validity& validity) {
  for (const char* name : {"ca.pem", "ca.key", "issued"}) {
    if (!FileExists(JoinPath(directory, name))) continue;
    return absl::AlreadyExistsError(absl::StrCat(JoinPath(directory, name),
                                                 " is there already: this folder has an authority, and a new one would "
                                                 "make all its certificates worthless; name another folder"));
  }
  CertificateFolder folder(directory);
  const absl::Status status = folder.WriteAuthority(validity);
  if (status.ok()) return folder;
  folder.Discard();
  return status;
}

absl::Status CertificateFolder::WriteAuthority(const Validity& validity) {
  made_directory_ = !FileExists(directory_);
  TW_RETURN_IF_ERROR(MakeDirectories(directory_));
  TW_ASSIGN_OR_RETURN(authority_, MakeAuthority("Thinwire authority", validity));
  TW_RETURN_IF_ERROR(WriteSecret(JoinPath(directory_, "ca.key"), authority_.key));
  TW_RETURN_IF_ERROR(WriteFileAtomically(revoked_path(), "# Serial numbers of revoked certificates, one a line.\n"));
  TW_RETURN_IF_ERROR(WriteFileAtomically(ca_path(), authority_.certificate));
  TW_ASSIGN_OR_RETURN(const Certificate certificate, Certificate::FromPem(authority_.certificate));
  not_after_ = certificate.Describe().not_after;
  return absl::OkStatus();
}

void CertificateFolder::Discard() {
  std::error_code ignored;  // what cannot be removed stays
  const auto remove = [&ignored](const std::string& path) { std::filesystem::remove(path, ignored); };
  // What is written is listed before.
  for (const IssuedCertificate& each : List().value_or(std::vector<IssuedCertificate>())) {
    const TlsFiles files = FilesOf(each.role, each.name);
    for (const std::string& file : {files.key + ".new", files.key, files.certificate, files.ca}) remove(file);
    ::rmdir(files.ca.substr(0, files.ca.rfind('/')).c_str());  // unless it is a file that was in the way
  }
  for (const char* name : {"issued", "ca.pem", "revoked", "ca.key.new", "ca.key"}) remove(JoinPath(directory_, name));
  if (made_directory_) ::rmdir(directory_.c_str());
}

absl::StatusOr<CertificateFolder> CertificateFolder::Open(const std::string& directory) {
  CertificateFolder folder(directory);
  if (!FileExists(folder.ca_path())) {
    return absl::NotFoundError(
        absl::StrCat(directory, " holds no authority; thinwire certs init ", directory, " --server HOST makes one"));
  }
  TW_ASSIGN_OR_RETURN(folder.authority_.certificate, ReadWholeFile(folder.ca_path(), kMaxPemBytes));
  TW_ASSIGN_OR_RETURN(folder.authority_.key, ReadWholeFile(JoinPath(directory, "ca.key"), kMaxPemBytes));
  TW_ASSIGN_OR_RETURN(const Certificate certificate, Certificate::FromPem(folder.authority_.certificate));
  folder.not_after_ = certificate.Describe().not_after;
  return folder;
}

TlsFiles CertificateFolder::FilesOf(PeerRole role, const std::string& name) const {
  const std::string folder =
      JoinPath(directory_, role == PeerRole::kServer ? kServerName : absl::StrCat(RoleName(role), "-", name));
  return {JoinPath(folder, "ca.pem"), JoinPath(folder, "cert.pem"), JoinPath(folder, "key.pem")};
}

std::string CertificateFolder::revoked_path() const { return JoinPath(directory_, "revoked"); }
std::string CertificateFolder::ca_path() const { return JoinPath(directory_, "ca.pem"); }

absl::StatusOr<IssuedCertificate> CertificateFolder::Issue(CertificateRequest request, bool replace) {
  if (request.role == PeerRole::kServer) request.name = kServerName;
  TW_RETURN_IF_ERROR(CheckFree(request, replace));
  request.validity.not_after = std::min(request.validity.not_after, not_after_);
  TW_ASSIGN_OR_RETURN(const CertifiedKey pair, MakeCertificate(authority_, request));
  TW_ASSIGN_OR_RETURN(const Certificate certificate, Certificate::FromPem(pair.certificate));
  const CertificateInfo info = certificate.Describe();
  const IssuedCertificate issued{info.serial, request.role, request.name, info.not_after, false};
  // Listed first: a certificate that exists can be revoked.
  TW_RETURN_IF_ERROR(AppendLine(JoinPath(directory_, "issued"), LineOf(issued)));
  TW_RETURN_IF_ERROR(WriteFiles(request.role, request.name, pair));
  return issued;
}

absl::Status CertificateFolder::CheckFree(const CertificateRequest& request, bool replace) const {
  TW_ASSIGN_OR_RETURN(const std::vector<IssuedCertificate> all, List());
  for (const IssuedCertificate& each : all) {
    if (each.name != request.name || each.role == request.role) continue;
    return absl::AlreadyExistsError(absl::StrCat("'", request.name, "' is the name of a certificate with the role ",
                                                 RoleName(each.role), "; choose another name"));
  }
  const TlsFiles files = FilesOf(request.role, request.name);
  if (replace || (!FileExists(files.certificate) && !FileExists(files.key))) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat(files.certificate,
                   " is there already; --replace puts a new one in its place, the old one stays valid until it "
                   "expires or is revoked"));
}

absl::Status CertificateFolder::WriteFiles(PeerRole role, const std::string& name, const CertifiedKey& pair) const {
  const TlsFiles files = FilesOf(role, name);
  TW_RETURN_IF_ERROR(MakeDirectories(files.ca.substr(0, files.ca.rfind('/'))));
  TW_RETURN_IF_ERROR(WriteSecret(files.key, pair.key));
  TW_RETURN_IF_ERROR(WriteFileAtomically(files.certificate, pair.certificate));
  return WriteFileAtomically(files.ca, authority_.certificate);
}

absl::StatusOr<std::vector<IssuedCertificate>> CertificateFolder::Revoke(const std::string& name) {
  TW_ASSIGN_OR_RETURN(const std::vector<IssuedCertificate> all, List());
  std::vector<IssuedCertificate> revoked;
  std::string lines;
  bool known = false;
  for (const IssuedCertificate& each : all) {
    if (each.name != name) continue;
    known = true;
    if (each.revoked) continue;
    absl::StrAppend(&lines, each.serial, "  # ", RoleName(each.role), " ", each.name, "\n");
    revoked.push_back(each);
    revoked.back().revoked = true;
  }
  if (!known) {
    return absl::NotFoundError(absl::StrCat("no certificate was ever issued to '", name, "'; thinwire certs list ",
                                            directory_, " shows those that were"));
  }
  if (!lines.empty()) TW_RETURN_IF_ERROR(AppendLine(revoked_path(), lines));
  return revoked;
}

absl::StatusOr<std::vector<IssuedCertificate>> CertificateFolder::List() const {
  const std::string path = JoinPath(directory_, "issued");
  TW_ASSIGN_OR_RETURN(const std::string text, ReadIfThere(path));
  TW_ASSIGN_OR_RETURN(const std::set<std::string> revoked, RevokedSerials(revoked_path()));
  std::vector<IssuedCertificate> result;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    absl::StatusOr<IssuedCertificate> issued = ParseLine(line);
    if (!issued.ok()) return absl::DataLossError(absl::StrCat(path, ": ", issued.status().message()));
    issued->revoked = revoked.count(issued->serial) > 0;
    result.push_back(*std::move(issued));
  }
  return result;
}

}  // namespace thinwire
