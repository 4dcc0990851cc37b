// The simple 1-RTT handshake of RFC 8448 section 3, as far as the record layer sees it: secrets, keys and records, in hex.
#pragma once

#include <string_view>

namespace cutwater::vectors::rfc8448 {

struct Side {
  std::string_view traffic_secret, key, iv;
};

inline constexpr Side kServerHandshake{
    "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
    "3fce516009c21727d0f2e4e86ee403bc", "5d313eb2671276ee13000b30"};
inline constexpr Side kClientHandshake{
    "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21",
    "dbfaa693d1762c5b666af5d950258d01", "5bd3c71b836e0b76bb73265f"};
inline constexpr Side kServerApplication{
    "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
    "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984"};
inline constexpr Side kClientApplication{
    "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
    "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9"};

inline constexpr std::string_view kServerTicketRecord =  // number 0: a handshake message, 205 bytes
    "17030300de3a6b8f90414a97d6959c3487680de5134a2b240e6cffac116e95d41d6af8f6b580dcf3d11d63c758db289a"
    "015940252f55713e061dc13e078891a38efbcf5753ad8ef170ad3c7353d16d9da773b9ca7f2b9fa1b6c0d4a3d03f75e0"
    "9c30ba1e62972ac46f75f7b981be63439b2999ce13064615139891d5e4c5b406f16e3fc181a77ca475840025db2f0a77"
    "f81b5ab05b94c01346755f69232c86519d86cbeeac87aac347d143f9605d64f650db4d023e70e952ca49fe5137121c74"
    "bc2697687e248746d6df353005f3bce18696129c8153556b3b6c6779b37bf15985684f";
inline constexpr std::string_view kServerDataRecord =  // number 1: the bytes 0 to 49
    "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59a8"
    "fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d";
inline constexpr std::string_view kServerCloseRecord = "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9";  // number 2
inline constexpr std::string_view kClientDataRecord =  // number 0: the bytes 0 to 49
    "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b"
    "62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4";
inline constexpr std::string_view kClientCloseRecord = "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3";  // number 1
inline constexpr std::string_view kClientFinishedRecord =  // handshake keys, number 0: a Finished, 36 bytes
    "170303003575ec4dc238cce60b298044a71e219c56cc77b0517fe9b93c7a4bfc44d87f38f80338ac98fc46deb384bd1c"
    "aeacab6867d726c40546";

}  // namespace cutwater::vectors::rfc8448
