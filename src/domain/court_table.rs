//! Every court that a CNJ number can name, one array a segment of the judiciary, in the order of the number's `TR` field.
//!
//! `TR` by state is the order of Resolução CNJ 65/2008, which is not alphabetical by abbreviation. Siglas are the ones the
//! Escavador SDK lists; DataJud aliases are the ones of the CNJ wiki, except `tre-df`, which measured sources prefer.

use super::court::{Court, Segment};

const fn court(segment: Segment, sigla: &'static str, name: &'static str, datajud: Option<&'static str>) -> Court {
    Court { sigla, name, segment, datajud }
}

// One row a line: sigla, name, DataJud alias if there is one.
macro_rules! courts {
    (@alias) => { None };
    (@alias $alias:literal) => { Some($alias) };
    ($segment:expr; $($sigla:literal $name:literal $($alias:literal)?;)+) => {
        [$(court($segment, $sigla, $name, courts!(@alias $($alias)?))),+]
    };
}

/// 1.00.
pub(super) static STF: Court = court(Segment::Stf, "STF", "Supremo Tribunal Federal", None);

/// 2.00.
pub(super) static CNJ: Court = court(Segment::Cnj, "CNJ", "Conselho Nacional de Justiça", None);

/// 3.00.
pub(super) static STJ: Court = court(Segment::Stj, "STJ", "Superior Tribunal de Justiça", Some("stj"));

/// 4.90.
pub(super) static CJF: Court = court(Segment::Federal, "CJF", "Conselho da Justiça Federal", None);

/// 5.00.
pub(super) static TST: Court = court(Segment::Trabalho, "TST", "Tribunal Superior do Trabalho", Some("tst"));

/// 5.90.
pub(super) static CSJT: Court = court(Segment::Trabalho, "CSJT", "Conselho Superior da Justiça do Trabalho", None);

/// 6.00.
pub(super) static TSE: Court = court(Segment::Eleitoral, "TSE", "Tribunal Superior Eleitoral", Some("tse"));

/// 7.00.
pub(super) static STM: Court = court(Segment::MilitarUniao, "STM", "Superior Tribunal Militar", Some("stm"));

/// 4.01 to 4.06.
pub(super) static TRF: [Court; 6] = courts! { Segment::Federal;
    "TRF1" "Tribunal Regional Federal da 1ª Região" "trf1";
    "TRF2" "Tribunal Regional Federal da 2ª Região" "trf2";
    "TRF3" "Tribunal Regional Federal da 3ª Região" "trf3";
    "TRF4" "Tribunal Regional Federal da 4ª Região" "trf4";
    "TRF5" "Tribunal Regional Federal da 5ª Região" "trf5";
    "TRF6" "Tribunal Regional Federal da 6ª Região" "trf6";
};

/// 5.01 to 5.24.
pub(super) static TRT: [Court; 24] = courts! { Segment::Trabalho;
    "TRT-1" "Tribunal Regional do Trabalho da 1ª Região" "trt1";
    "TRT-2" "Tribunal Regional do Trabalho da 2ª Região" "trt2";
    "TRT-3" "Tribunal Regional do Trabalho da 3ª Região" "trt3";
    "TRT-4" "Tribunal Regional do Trabalho da 4ª Região" "trt4";
    "TRT-5" "Tribunal Regional do Trabalho da 5ª Região" "trt5";
    "TRT-6" "Tribunal Regional do Trabalho da 6ª Região" "trt6";
    "TRT-7" "Tribunal Regional do Trabalho da 7ª Região" "trt7";
    "TRT-8" "Tribunal Regional do Trabalho da 8ª Região" "trt8";
    "TRT-9" "Tribunal Regional do Trabalho da 9ª Região" "trt9";
    "TRT-10" "Tribunal Regional do Trabalho da 10ª Região" "trt10";
    "TRT-11" "Tribunal Regional do Trabalho da 11ª Região" "trt11";
    "TRT-12" "Tribunal Regional do Trabalho da 12ª Região" "trt12";
    "TRT-13" "Tribunal Regional do Trabalho da 13ª Região" "trt13";
    "TRT-14" "Tribunal Regional do Trabalho da 14ª Região" "trt14";
    "TRT-15" "Tribunal Regional do Trabalho da 15ª Região" "trt15";
    "TRT-16" "Tribunal Regional do Trabalho da 16ª Região" "trt16";
    "TRT-17" "Tribunal Regional do Trabalho da 17ª Região" "trt17";
    "TRT-18" "Tribunal Regional do Trabalho da 18ª Região" "trt18";
    "TRT-19" "Tribunal Regional do Trabalho da 19ª Região" "trt19";
    "TRT-20" "Tribunal Regional do Trabalho da 20ª Região" "trt20";
    "TRT-21" "Tribunal Regional do Trabalho da 21ª Região" "trt21";
    "TRT-22" "Tribunal Regional do Trabalho da 22ª Região" "trt22";
    "TRT-23" "Tribunal Regional do Trabalho da 23ª Região" "trt23";
    "TRT-24" "Tribunal Regional do Trabalho da 24ª Região" "trt24";
};

/// 6.01 to 6.27.
pub(super) static TRE: [Court; 27] = courts! { Segment::Eleitoral;
    "TRE-AC" "Tribunal Regional Eleitoral do Acre" "tre-ac";
    "TRE-AL" "Tribunal Regional Eleitoral de Alagoas" "tre-al";
    "TRE-AP" "Tribunal Regional Eleitoral do Amapá" "tre-ap";
    "TRE-AM" "Tribunal Regional Eleitoral do Amazonas" "tre-am";
    "TRE-BA" "Tribunal Regional Eleitoral da Bahia" "tre-ba";
    "TRE-CE" "Tribunal Regional Eleitoral do Ceará" "tre-ce";
    "TRE-DF" "Tribunal Regional Eleitoral do Distrito Federal" "tre-df";
    "TRE-ES" "Tribunal Regional Eleitoral do Espírito Santo" "tre-es";
    "TRE-GO" "Tribunal Regional Eleitoral de Goiás" "tre-go";
    "TRE-MA" "Tribunal Regional Eleitoral do Maranhão" "tre-ma";
    "TRE-MT" "Tribunal Regional Eleitoral de Mato Grosso" "tre-mt";
    "TRE-MS" "Tribunal Regional Eleitoral de Mato Grosso do Sul" "tre-ms";
    "TRE-MG" "Tribunal Regional Eleitoral de Minas Gerais" "tre-mg";
    "TRE-PA" "Tribunal Regional Eleitoral do Pará" "tre-pa";
    "TRE-PB" "Tribunal Regional Eleitoral da Paraíba" "tre-pb";
    "TRE-PR" "Tribunal Regional Eleitoral do Paraná" "tre-pr";
    "TRE-PE" "Tribunal Regional Eleitoral de Pernambuco" "tre-pe";
    "TRE-PI" "Tribunal Regional Eleitoral do Piauí" "tre-pi";
    "TRE-RJ" "Tribunal Regional Eleitoral do Rio de Janeiro" "tre-rj";
    "TRE-RN" "Tribunal Regional Eleitoral do Rio Grande do Norte" "tre-rn";
    "TRE-RS" "Tribunal Regional Eleitoral do Rio Grande do Sul" "tre-rs";
    "TRE-RO" "Tribunal Regional Eleitoral de Rondônia" "tre-ro";
    "TRE-RR" "Tribunal Regional Eleitoral de Roraima" "tre-rr";
    "TRE-SC" "Tribunal Regional Eleitoral de Santa Catarina" "tre-sc";
    "TRE-SE" "Tribunal Regional Eleitoral de Sergipe" "tre-se";
    "TRE-SP" "Tribunal Regional Eleitoral de São Paulo" "tre-sp";
    "TRE-TO" "Tribunal Regional Eleitoral do Tocantins" "tre-to";
};

/// 7.01 to 7.12: military circuits have no alias of their own.
pub(super) static CJM: [Court; 12] = courts! { Segment::MilitarUniao;
    "1-CJM" "1ª Circunscrição Judiciária Militar";
    "2-CJM" "2ª Circunscrição Judiciária Militar";
    "3-CJM" "3ª Circunscrição Judiciária Militar";
    "4-CJM" "4ª Circunscrição Judiciária Militar";
    "5-CJM" "5ª Circunscrição Judiciária Militar";
    "6-CJM" "6ª Circunscrição Judiciária Militar";
    "7-CJM" "7ª Circunscrição Judiciária Militar";
    "8-CJM" "8ª Circunscrição Judiciária Militar";
    "9-CJM" "9ª Circunscrição Judiciária Militar";
    "10-CJM" "10ª Circunscrição Judiciária Militar";
    "11-CJM" "11ª Circunscrição Judiciária Militar";
    "12-CJM" "12ª Circunscrição Judiciária Militar";
};

/// 8.01 to 8.27.
pub(super) static TJ: [Court; 27] = courts! { Segment::Estadual;
    "TJAC" "Tribunal de Justiça do Acre" "tjac";
    "TJAL" "Tribunal de Justiça de Alagoas" "tjal";
    "TJAP" "Tribunal de Justiça do Amapá" "tjap";
    "TJAM" "Tribunal de Justiça do Amazonas" "tjam";
    "TJBA" "Tribunal de Justiça da Bahia" "tjba";
    "TJCE" "Tribunal de Justiça do Ceará" "tjce";
    "TJDF" "Tribunal de Justiça do Distrito Federal e dos Territórios" "tjdft";
    "TJES" "Tribunal de Justiça do Espírito Santo" "tjes";
    "TJGO" "Tribunal de Justiça de Goiás" "tjgo";
    "TJMA" "Tribunal de Justiça do Maranhão" "tjma";
    "TJMT" "Tribunal de Justiça de Mato Grosso" "tjmt";
    "TJMS" "Tribunal de Justiça de Mato Grosso do Sul" "tjms";
    "TJMG" "Tribunal de Justiça de Minas Gerais" "tjmg";
    "TJPA" "Tribunal de Justiça do Pará" "tjpa";
    "TJPB" "Tribunal de Justiça da Paraíba" "tjpb";
    "TJPR" "Tribunal de Justiça do Paraná" "tjpr";
    "TJPE" "Tribunal de Justiça de Pernambuco" "tjpe";
    "TJPI" "Tribunal de Justiça do Piauí" "tjpi";
    "TJRJ" "Tribunal de Justiça do Rio de Janeiro" "tjrj";
    "TJRN" "Tribunal de Justiça do Rio Grande do Norte" "tjrn";
    "TJRS" "Tribunal de Justiça do Rio Grande do Sul" "tjrs";
    "TJRO" "Tribunal de Justiça de Rondônia" "tjro";
    "TJRR" "Tribunal de Justiça de Roraima" "tjrr";
    "TJSC" "Tribunal de Justiça de Santa Catarina" "tjsc";
    "TJSE" "Tribunal de Justiça de Sergipe" "tjse";
    "TJSP" "Tribunal de Justiça de São Paulo" "tjsp";
    "TJTO" "Tribunal de Justiça do Tocantins" "tjto";
};

/// 9.01 to 9.27. Only three states have a military court of their own (13, 21, 26); elsewhere the state's court judges, so the
/// number is let through: refusing a real one would be worse than one vain question.
pub(super) static TJM: [Court; 27] = courts! { Segment::MilitarEstadual;
    "TJAC" "Tribunal de Justiça do Acre (Justiça Militar)";
    "TJAL" "Tribunal de Justiça de Alagoas (Justiça Militar)";
    "TJAP" "Tribunal de Justiça do Amapá (Justiça Militar)";
    "TJAM" "Tribunal de Justiça do Amazonas (Justiça Militar)";
    "TJBA" "Tribunal de Justiça da Bahia (Justiça Militar)";
    "TJCE" "Tribunal de Justiça do Ceará (Justiça Militar)";
    "TJDF" "Tribunal de Justiça do Distrito Federal e dos Territórios (Justiça Militar)";
    "TJES" "Tribunal de Justiça do Espírito Santo (Justiça Militar)";
    "TJGO" "Tribunal de Justiça de Goiás (Justiça Militar)";
    "TJMA" "Tribunal de Justiça do Maranhão (Justiça Militar)";
    "TJMT" "Tribunal de Justiça de Mato Grosso (Justiça Militar)";
    "TJMS" "Tribunal de Justiça de Mato Grosso do Sul (Justiça Militar)";
    "TJME-MG" "Tribunal de Justiça Militar de Minas Gerais" "tjmmg";
    "TJPA" "Tribunal de Justiça do Pará (Justiça Militar)";
    "TJPB" "Tribunal de Justiça da Paraíba (Justiça Militar)";
    "TJPR" "Tribunal de Justiça do Paraná (Justiça Militar)";
    "TJPE" "Tribunal de Justiça de Pernambuco (Justiça Militar)";
    "TJPI" "Tribunal de Justiça do Piauí (Justiça Militar)";
    "TJRJ" "Tribunal de Justiça do Rio de Janeiro (Justiça Militar)";
    "TJRN" "Tribunal de Justiça do Rio Grande do Norte (Justiça Militar)";
    "TJME-RS" "Tribunal de Justiça Militar do Rio Grande do Sul" "tjmrs";
    "TJRO" "Tribunal de Justiça de Rondônia (Justiça Militar)";
    "TJRR" "Tribunal de Justiça de Roraima (Justiça Militar)";
    "TJSC" "Tribunal de Justiça de Santa Catarina (Justiça Militar)";
    "TJSE" "Tribunal de Justiça de Sergipe (Justiça Militar)";
    "TJME-SP" "Tribunal de Justiça Militar de São Paulo" "tjmsp";
    "TJTO" "Tribunal de Justiça do Tocantins (Justiça Militar)";
};
