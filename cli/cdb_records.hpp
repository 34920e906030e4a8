// All records of a cdb, in the order of the file; and a cdb made of records, in the place of the old one at once.
// in      a path; records: key and value, octets without meaning here
// out     records; a file that is whole before it has its name, durable, with owner and mode of the one before it
// errors  UsageError: not a cdb, cannot be read or written, a record that reaches over the end
// source  cr.yp.to/cdb/cdb.txt
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace postern::cli {

using CdbRecords = std::vector<std::pair<std::string, std::string>>;

[[nodiscard]] CdbRecords read_cdb(const std::string& path);
// new_mode   of a file that did not exist
void write_cdb(const std::string& path, const CdbRecords& records, unsigned new_mode);

}  // namespace postern::cli
